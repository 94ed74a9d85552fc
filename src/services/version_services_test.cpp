#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/random.hpp"
#include "base/temporary_folder.hpp"
#include "services/accept_scan.hpp"
#include "services/checkout_version.hpp"
#include "services/evaluate_gate.hpp"
#include "services/local_files.hpp"
#include "services/register_version.hpp"
#include "services/scan_version.hpp"
#include "storage/local_blobs/local_blob_store.hpp"
#include "storage/memory/memory_ledger.hpp"

namespace backstay::services {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSpec = R"(
model: m
version: 1.0.0
changelog: first
artifacts: [model]
code: {commit: abc123, preprocessing: [features.py]}
data:
  - name: wards
    role: training
    slices:
      - {name: site-a, file: a.csv}
config: {seed: 7}
environment: {lock_files: [requirements.txt]}
)";

class VersionServicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    blobs = LocalBlobStore::open(folder / "blobs").value();
    write("model/weights.bin", "weights");
    write("model/sub/vocabulary.txt", "words");
    write("features.py", "x = 1\n");
    write("requirements.txt", "numpy==1.26.4\n");
    write("a.csv", "x,y\n1,2\n3,4\n");
  }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((folder / path).parent_path());
    std::ofstream(folder / path, std::ios::binary) << text;
  }
  Result<RegisteredVersion> add(const std::string& yaml) {
    auto document = wire::Document::from_yaml("version.yaml", yaml);
    if (!document) return Unexpected(std::move(document).error());
    auto spec = wire::version_spec_from(*document);
    if (!spec) return Unexpected(std::move(spec).error());
    return register_version(registry(), *spec, folder, {"alice"});
  }
  Registry registry() { return {ledger, *blobs}; }
  static std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string replaced(std::string text, const std::string& what, const std::string& with) {
    return text.replace(text.find(what), what.size(), with);
  }

  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  MemoryLedger ledger;
  std::unique_ptr<LocalBlobStore> blobs;
};

TEST_F(VersionServicesTest, RegistersFilesAndFoldersWithTheirDigests) {
  const auto added = add(kSpec);
  ASSERT_TRUE(added) << added.error().message;
  const auto& registered = *added;
  EXPECT_TRUE(registered.created);
  EXPECT_TRUE(registered.missing.empty());
  const auto& artifacts = registered.manifest.artifacts;
  ASSERT_EQ(artifacts.size(), 2u);
  EXPECT_EQ(artifacts[0].path, "model/sub/vocabulary.txt");
  EXPECT_EQ(artifacts[1].sha256, sha256("weights"));
  EXPECT_EQ(registered.manifest.data[0].slices[0].rows, 2u);
  EXPECT_EQ(registered.manifest.data[0].slices[0].sha256, sha256("x,y\n1,2\n3,4\n"));
  EXPECT_EQ(registered.manifest.code.preprocessing[0].sha256, sha256("x = 1\n"));
}

TEST_F(VersionServicesTest, TheSameContentTwiceIsTheSameVersionAndOtherContentIsRefused) {
  const Digest identity = add(kSpec)->version.identity;
  const auto again = add(kSpec).value();
  EXPECT_FALSE(again.created);
  EXPECT_EQ(again.version.identity, identity);
  write("model/weights.bin", "other");
  EXPECT_EQ(add(kSpec).error().code, ErrorCode::kConflict);
}

TEST_F(VersionServicesTest, NamesWhatAnIncompleteVersionLacksAndKeepsItFromProduction) {
  const auto registered = add("model: m\nversion: 1.0.0\nartifacts: [model]\n").value();
  EXPECT_EQ(registered.missing,
            (std::vector<std::string>{"code (commit)", "data (training slices)", "config", "changelog"}));
  const auto refused = check_releasable(ledger, registered.version);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("changelog"), std::string::npos);
}

TEST_F(VersionServicesTest, RefusesSymlinksDevicesAndNamesThatLeaveTheVersion) {
  fs::create_symlink("/etc/passwd", folder / "model/link");
  EXPECT_NE(add(kSpec).error().message.find("symbolic link"), std::string::npos);
  fs::remove(folder / "model/link");
  ASSERT_EQ(mkfifo((folder / "model/pipe").c_str(), 0600), 0);
  EXPECT_NE(add(kSpec).error().message.find("not a regular file"), std::string::npos);
  fs::remove(folder / "model/pipe");
  for (const char* name : {"../evil", "/etc/evil", "a/../../evil"}) {
    const auto refused = add(replaced(kSpec, "[model]", std::string("[{path: model/weights.bin, as: ") + name + "}]"));
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(ledger.versions("")->empty());
  EXPECT_TRUE(ledger.read(1, 10)->empty());
}

TEST_F(VersionServicesTest, RefusesTwoFilesOfOneNameAndMissingFiles) {
  EXPECT_NE(add(replaced(kSpec, "[model]", "[model, {path: a.csv, as: model/weights.bin}]"))
                .error()
                .message.find("Two files"),
            std::string::npos);
  EXPECT_EQ(add(replaced(kSpec, "[model]", "[missing.onnx]")).error().code, ErrorCode::kNotFound);
}

TEST_F(VersionServicesTest, NoticesAFileThatChangesWhileItIsRead) {
  const auto changed = read_file(folder / "a.csv", [&](std::span<const std::byte>) -> Result<void> {
    write("a.csv", "something else\n");
    return {};
  });
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().message.find("changed while it was read"), std::string::npos);
}

TEST_F(VersionServicesTest, NamesTheNearestKeyWhenOneIsUnknown) {
  const auto refused = add(replaced(kSpec, "changelog:", "changlog:"));
  ASSERT_FALSE(refused);
  EXPECT_NE((refused.error().message + refused.error().hint).find("changelog"), std::string::npos);
}

TEST_F(VersionServicesTest, ChecksOutEveryFileVerified) {
  ASSERT_TRUE(add(kSpec));
  const auto ref = registry::VersionRef::parse("m@1.0.0").value();
  ASSERT_TRUE(check_out_version(registry(), ref, folder / "out"));
  EXPECT_EQ(read(folder / "out/model/weights.bin"), "weights");
  EXPECT_EQ(read(folder / "out/.backstay/lock/requirements.txt"), "numpy==1.26.4\n");
  EXPECT_EQ(sha256(read(folder / "out/.backstay/manifest.json")), ledger.version(ref)->identity);
  EXPECT_EQ(check_out_version(registry(), ref, folder / "out").error().code, ErrorCode::kConflict);
}

TEST_F(VersionServicesTest, AChangedBlobStopsTheCheckoutAndLeavesNothing) {
  ASSERT_TRUE(add(kSpec));
  const fs::path blob = blobs->path_of(sha256("weights"));
  fs::permissions(blob, fs::perms::owner_write, fs::perm_options::add);
  std::ofstream(blob, std::ios::binary) << "WEIGHTS";
  const auto refused =
      check_out_version(registry(), registry::VersionRef::parse("m@1.0.0").value(), folder / "out/here");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIntegrity);
  EXPECT_NE(refused.error().message.find("weights.bin"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(folder / "out"));
}

TEST_F(VersionServicesTest, AVersionIsReleasableWhenEveryGatesNewestVerdictIsPass) {
  const auto version = add(kSpec)->version;
  EXPECT_FALSE(check_releasable(ledger, version));
  const char* gate = "name: production\nrules: [{metric: accuracy, at_least: 0.9}]\n";
  EXPECT_EQ(evaluate_gate(ledger, version.ref, "gate.yaml", gate, {"ci"}, {})->stored.verdict, "INSUFFICIENT");
  EXPECT_FALSE(check_releasable(ledger, version));
  registry::Scorecard card{registry::ScorecardKind::kQuality, "test", "ci", {{"accuracy", "", 0.98, 1000, {}, {}}}};
  ASSERT_TRUE(ledger.add_scorecard(version.ref, card, {"ci", "scorecard.add", "m@1.0.0", "", "{}"}));
  EXPECT_EQ(evaluate_gate(ledger, version.ref, "gate.yaml", gate, {"ci"}, {})->stored.verdict, "PASS");
  EXPECT_TRUE(check_releasable(ledger, version));
  const char* strict = "name: strict\nrules: [{metric: accuracy, at_least: 0.999}]\n";
  EXPECT_EQ(evaluate_gate(ledger, version.ref, "gate.yaml", strict, {"ci"}, {})->stored.verdict, "FAIL");
  EXPECT_FALSE(check_releasable(ledger, version));
}

TEST_F(VersionServicesTest, AnUploadedManifestNeedsItsBlobs) {
  registry::Manifest manifest = add(kSpec)->manifest;
  manifest.ref.version.minor = 1;
  EXPECT_TRUE(register_manifest(registry(), manifest, {"bob"})->created);
  manifest.ref.version.minor = 2;
  manifest.artifacts[0].sha256 = sha256("never uploaded");
  EXPECT_EQ(register_manifest(registry(), manifest, {"bob"}).error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(VersionServicesTest, ProfilesThatAnotherReleaseMadeMakeNoOtherVersion) {
  const auto added = add(kSpec);
  registry::Manifest manifest = added->manifest;
  manifest.data[0].slices[0].profile_sha256 = manifest.artifacts[0].sha256.hex();
  const auto again = register_manifest(registry(), manifest, {"bob"});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->created || again->reused);
  EXPECT_EQ(again->version.identity, added->version.identity);
  manifest.data[0].slices[0].profile_sha256.clear();
  EXPECT_EQ(register_manifest(registry(), manifest, {"bob"}).error().code, ErrorCode::kConflict);
}

TEST_F(VersionServicesTest, ScansArtifactsWhicheverWayTheyCome) {
  write("model/weights.bin", "cposix\nsystem\n(S'id'\ntR.");
  const auto added = add(kSpec);
  ASSERT_TRUE(added);
  EXPECT_EQ(added->scan.report.verdict, scan::Verdict::kDangerous);
  EXPECT_EQ(added->scan.by, "alice");
  EXPECT_EQ(add(kSpec)->scan.id, added->scan.id) << "the same content isn't scanned into the store again";
  EXPECT_EQ(ledger.scans(added->version.ref)->size(), 1u);

  registry::Manifest manifest = added->manifest;
  manifest.ref.version.minor = 7;
  const auto uploaded = register_manifest(registry(), manifest, {"bob"});
  ASSERT_TRUE(uploaded);
  EXPECT_EQ(uploaded->scan.report, added->scan.report);
}

TEST_F(VersionServicesTest, ADangerousScanHoldsAVersionBackUntilATrustedPersonSignsForIt) {
  write("model/weights.bin", "cposix\nsystem\n(S'id'\ntR.");
  const StoredVersion version = add(kSpec)->version;
  const signing::PrivateKey bob = signing::PrivateKey::generate(signing::KeyType::kEd25519).value();
  const signing::PrivateKey mallory = signing::PrivateKey::generate(signing::KeyType::kEd25519).value();
  const Timestamp now(seconds(1'000'000));
  const TrustedExceptions trusted{nullptr, {bob.public_key()}, now};
  const auto accept = [&](const signing::PrivateKey& key, const char* reason, milliseconds valid) {
    return accept_scan(ledger, version.ref, reason, valid, key, {"bob"}, now);
  };
  const auto refused = check_scan(ledger, version, trusted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("posix.system"), std::string::npos);
  EXPECT_EQ(accept(bob, "", seconds(60)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(accept(bob, "why", milliseconds(0)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(accept(bob, "why", std::chrono::hours(367 * 24)).error().code, ErrorCode::kInvalidArgument);

  ASSERT_TRUE(accept(mallory, "harmless, believe me", seconds(60)));
  const auto untrusted = check_scan(ledger, version, trusted);
  ASSERT_FALSE(untrusted);
  EXPECT_NE(untrusted.error().message.find("a key that this endpoint does not trust"), std::string::npos);
  EXPECT_EQ(scan_warning(ledger, version, trusted)->find("answers for it"), std::string::npos);

  ASSERT_TRUE(accept(bob, "reviewed", seconds(60)));
  EXPECT_TRUE(check_scan(ledger, version, trusted));
  EXPECT_NE(scan_warning(ledger, version, trusted)->find("bob answers for it"), std::string::npos);
  EXPECT_FALSE(check_scan(ledger, version, {nullptr, {}, now})) << "an endpoint that trusts nobody";
  EXPECT_FALSE(check_scan(ledger, version, {nullptr, {bob.public_key()}, now + seconds(60)})) << "it has expired";

  StoredScan more = ledger.scans(version.ref)->at(0);
  more.report.add({scan::Verdict::kDangerous, "import", "model/weights.bin", "os.popen", "It runs commands.", 0});
  ASSERT_TRUE(ledger.add_scan(version.ref, more, {"ci", "version.scan", "", "", "{}"}));
  EXPECT_FALSE(check_scan(ledger, version, trusted)) << "what is found later isn't covered";
}

TEST_F(VersionServicesTest, ASignedExceptionIsWorthNothingOnAnotherVersionOrAltered) {
  write("model/weights.bin", "cposix\nsystem\n(S'id'\ntR.");
  const StoredVersion version = add(kSpec)->version;
  registry::Manifest manifest = add(kSpec)->manifest;
  manifest.ref.version.minor = 7;
  const StoredVersion other = register_manifest(registry(), manifest, {"bob"})->version;
  const signing::PrivateKey bob = signing::PrivateKey::generate(signing::KeyType::kEd25519).value();
  const Timestamp now(seconds(1'000'000));
  const TrustedExceptions trusted{nullptr, {bob.public_key()}, now};
  ScanException exception = accept_scan(ledger, version.ref, "reviewed", seconds(60), bob, {"bob"}, now).value();
  ASSERT_TRUE(check_scan(ledger, version, trusted));

  exception.expires = now + std::chrono::hours(10'000);  // As whoever writes to the database would have it.
  ASSERT_TRUE(ledger.add_scan_exception(other.ref, exception, {"bob", "scan.accept", "", "", "{}"}));
  EXPECT_FALSE(check_scan(ledger, other, trusted)) << "it is about another version";
  ASSERT_TRUE(ledger.add_scan_exception(version.ref, exception, {"bob", "scan.accept", "", "", "{}"}));
  EXPECT_FALSE(check_scan(ledger, version, {nullptr, {bob.public_key()}, now + seconds(60)}))
      << "what was signed says until when";
}

TEST_F(VersionServicesTest, AVersionThatWasNeverScannedIsRefusedAndScannedOnDemand) {
  const auto added = add(kSpec);
  MemoryLedger older;
  ASSERT_TRUE(older.add_version({added->version.ref, added->version.manifest_json, true, "alice"}, {}));
  EXPECT_FALSE(check_scan(older, added->version, {}));
  const Registry old{older, *blobs};
  EXPECT_EQ(ensure_scanned(old, added->version.ref, {"bob"})->report.verdict, scan::Verdict::kSafe);
  EXPECT_TRUE(check_scan(older, added->version, {}));
  EXPECT_EQ(ensure_scanned(old, added->version.ref, {"bob"})->id, older.scans(added->version.ref)->at(0).id);
}

}  // namespace
}  // namespace backstay::services
