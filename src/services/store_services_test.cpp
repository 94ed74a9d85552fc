#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.hpp"
#include "services/check_store.hpp"
#include "services/collect_garbage.hpp"
#include "services/register_version.hpp"
#include "storage/local_blobs/local_blob_store.hpp"
#include "storage/memory/memory_blob_store.hpp"
#include "storage/memory/memory_ledger.hpp"

namespace backstay::services {
namespace {

namespace fs = std::filesystem;

constexpr milliseconds kOver{-60'000};

class StoreServices : public ::testing::Test {
 protected:
  void SetUp() override {
    blobs = LocalBlobStore::open(folder / "blobs").value();
    std::ofstream(folder / "model.bin") << "model";
    std::ofstream(folder / "features.py") << "features";
    std::ofstream(folder / "uv.lock") << "lock";
    const auto document = wire::Document::from_yaml(
        "version.yaml",
        "model: m\nversion: 1.0.0\nartifacts: [model.bin]\ncode: {commit: a1, preprocessing: [features.py], "
        "dirty_diff_sha256: " +
            sha256("diff").hex() + "}\nenvironment: {lock_files: [uv.lock]}\n");
    const auto spec = wire::version_spec_from(document.value());
    ASSERT_TRUE(spec) << spec.error().message;
    ASSERT_TRUE(register_version({ledger, *blobs}, *spec, folder, {"alice"}));
  }

  static Digest put(BlobStore& store, const std::string& content) {
    auto writer = store.begin().value();
    EXPECT_TRUE(writer->write(std::as_bytes(std::span(content))));
    return writer->commit().value().sha256;
  }
  StoreCheck check(const CheckStoreOptions& options = {}) {
    const auto done = check_store({ledger, *blobs}, records, *blobs, options);
    EXPECT_TRUE(done) << done.error().message;
    return *done;
  }
  void damage(const std::string& content) {
    const fs::path place = blobs->path_of(sha256(content));
    fs::remove(place);
    std::ofstream(place) << content.substr(1) << '?';
    fs::permissions(place, static_cast<fs::perms>(0444));
  }

  /// A database with a changed row, which only the copy "good" repairs.
  struct Records : RecordCheck {
    std::vector<RecordProblem> wrong;
    Result<std::vector<RecordProblem>> check_records() const override { return wrong; }
    std::uint64_t lost = 0;
    Result<std::uint64_t> missing_beside(const std::string&) const override { return lost; }
    Result<void> repair_records(const std::string& copy, const std::string&) override {
      lost = 0;
      if (copy != "good") return Unexpected(ErrorCode::kIntegrity, "The copy is damaged itself.", "");
      wrong.clear();
      return {};
    }
  };

  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  MemoryLedger ledger;
  Records records;
  std::unique_ptr<LocalBlobStore> blobs;
};

TEST_F(StoreServices, ChangedRecordsAreNamedAndRestoredFromACopyOrNotAtAll) {
  records.wrong = {{"versions", "m@1.0.0", "Its manifest is not what was registered."}};
  EXPECT_EQ(check().problems.at(0).what, "versions m@1.0.0");
  EXPECT_FALSE(check({true, nullptr, "", {}}).problems.at(0).repaired);
  const StoreProblem refused = check({true, nullptr, "bad", {}}).problems.at(0);
  EXPECT_FALSE(refused.repaired);
  EXPECT_NE(refused.where.find("damaged itself"), std::string::npos);
  EXPECT_TRUE(check({true, nullptr, "good", {}}).problems.at(0).repaired);
  records.lost = 3;
  const StoreProblem restored = check({true, nullptr, "good", {}}).problems.at(0);
  EXPECT_NE(restored.where.find("3 more of its entries"), std::string::npos);
  EXPECT_TRUE(restored.repaired);
  EXPECT_TRUE(check().problems.empty());
}

TEST_F(StoreServices, CollectionKeepsEverythingThatAVersionIsMadeOf) {
  put(*blobs, "diff");
  put(*blobs, "left over");
  const Collected done = collect_garbage(ledger, ledger, *blobs, {kOver, false}, {"bob"}).value();
  EXPECT_EQ(done.blobs, 1U);
  for (const char* content : {"model", "features", "lock", "diff"})
    EXPECT_TRUE(blobs->contains(sha256(content)).value()) << content;
  EXPECT_FALSE(blobs->contains(sha256("left over")).value());
  const audit::Entry entry = ledger.read(1, 10)->back();
  EXPECT_EQ(entry.draft.action, "store.collect");
  EXPECT_EQ(entry.draft.actor, "bob");
  EXPECT_NE(entry.draft.evidence.find("\"blobs\":1"), std::string::npos);
}

TEST_F(StoreServices, ADryRunTakesNothingAndLogsNothing) {
  put(*blobs, "left over");
  const std::uint64_t before = ledger.size().value();
  EXPECT_EQ(collect_garbage(ledger, ledger, *blobs, {kOver, true}, {"bob"})->blobs, 1U);
  EXPECT_TRUE(blobs->contains(sha256("left over")).value());
  EXPECT_EQ(ledger.size().value(), before);
}

TEST_F(StoreServices, AManifestThatCantBeReadStopsTheCollection) {
  put(*blobs, "left over");
  ASSERT_TRUE(ledger.add_version({registry::VersionRef::parse("m@2.0.0").value(), "{broken", false, "x"},
                                 {"x", "version.register", "m@2.0.0", "", "{}"}));
  EXPECT_FALSE(collect_garbage(ledger, ledger, *blobs, {kOver, false}, {"bob"}));
  EXPECT_TRUE(blobs->contains(sha256("left over")).value());
}

TEST_F(StoreServices, AWholeStoreHasNoProblem) {
  put(*blobs, "left over");
  const StoreCheck done = check();
  EXPECT_TRUE(done.problems.empty());
  EXPECT_EQ(done.referenced_blobs, 4U);
  EXPECT_EQ(done.unreferenced_blobs, 1U);
  EXPECT_EQ(done.checked_bytes, std::string("modelfeatureslockleft over").size());
}

TEST_F(StoreServices, NamesTheVersionThatADamagedOrMissingBlobBelongsTo) {
  damage("model");
  fs::remove(blobs->path_of(sha256("features")));
  const StoreCheck done = check();
  ASSERT_EQ(done.problems.size(), 2U);
  EXPECT_EQ(done.problems[0].kind, "changed");
  EXPECT_NE(done.problems[0].what.find("m@1.0.0: artifact model.bin"), std::string::npos);
  EXPECT_FALSE(done.problems[0].repairable);
  EXPECT_EQ(done.problems[1].kind, "missing");
  EXPECT_NE(done.problems[1].what.find("m@1.0.0: preprocessing features.py"), std::string::npos);
}

TEST_F(StoreServices, RepairsFromAnotherStoreWhatThatHasWhole) {
  damage("model");
  fs::remove(blobs->path_of(sha256("features")));
  damage("lock");
  MemoryBlobStore other;
  put(other, "model");
  put(other, "features");
  const StoreCheck found = check({false, &other, "", {}});
  EXPECT_TRUE(found.problems[0].repairable || found.problems[1].repairable);
  const StoreCheck done = check({true, &other, "", {}});
  ASSERT_EQ(done.problems.size(), 3U);
  for (const StoreProblem& problem : done.problems)
    EXPECT_EQ(problem.repaired, problem.what.find("lock file") == std::string::npos) << problem.what;
  const StoreCheck after = check();
  ASSERT_EQ(after.problems.size(), 1U);
  EXPECT_NE(after.problems[0].what.find("uv.lock"), std::string::npos);
}

}  // namespace
}  // namespace backstay::services
