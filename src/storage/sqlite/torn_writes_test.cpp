#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "base/random.hpp"
#include "base/temporary_folder.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"
#include "wire/manifest_json.hpp"

// The machine stops in the middle of a commit: at any moment, with what was not synced yet on the disk, or not, or
// half. What the registry's files went through is recorded by a shim under SQLite and then cut off at every point.
namespace backstay {
namespace {

namespace fs = std::filesystem;

/// One thing that was done to a file.
struct Step {
  enum class Kind { kWrite, kTruncate, kSync, kRemove, kAcknowledged };
  Kind kind = Kind::kWrite;
  std::string file;
  std::size_t offset = 0;  ///< kWrite; kTruncate: the new size; kAcknowledged: entries of the log.
  std::string bytes{};
};

std::vector<Step>* recorded = nullptr;

/// SQLite's usual file behind one that writes down what is done to it.
struct RecordedFile {
  sqlite3_file base;
  sqlite3_file* real;
  std::string* name;
};

RecordedFile& as_recorded(sqlite3_file* file) {
  return *reinterpret_cast<RecordedFile*>(file);
}
sqlite3_file* real_of(sqlite3_file* file) {
  return as_recorded(file).real;
}
void record(sqlite3_file* file, Step::Kind kind, std::size_t offset, std::string bytes = {}) {
  if (recorded != nullptr) recorded->push_back({kind, *as_recorded(file).name, offset, std::move(bytes)});
}

int close_file(sqlite3_file* file) {
  RecordedFile& mine = as_recorded(file);
  const int code = mine.real->pMethods->xClose(mine.real);
  sqlite3_free(mine.real);
  delete mine.name;
  return code;
}
int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  record(file, Step::Kind::kWrite, static_cast<std::size_t>(offset),
         std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size)));
  return real_of(file)->pMethods->xWrite(real_of(file), bytes, size, offset);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  record(file, Step::Kind::kTruncate, static_cast<std::size_t>(size));
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
  record(file, Step::Kind::kSync, 0);
  return real_of(file)->pMethods->xSync(real_of(file), flags);
}

const sqlite3_io_methods kMethods{
    1,
    close_file,
    [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
    },
    write_file,
    truncate_file,
    sync_file,
    [](sqlite3_file* f, sqlite3_int64* size) { return real_of(f)->pMethods->xFileSize(real_of(f), size); },
    [](sqlite3_file* f, int lock) { return real_of(f)->pMethods->xLock(real_of(f), lock); },
    [](sqlite3_file* f, int lock) { return real_of(f)->pMethods->xUnlock(real_of(f), lock); },
    [](sqlite3_file* f, int* out) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out); },
    [](sqlite3_file* f, int op, void* arg) { return real_of(f)->pMethods->xFileControl(real_of(f), op, arg); },
    [](sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); },
    // What disks promise beyond sectors is not relied on.
    [](sqlite3_file*) { return 0; },
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

class RecordingVfs {
 public:
  RecordingVfs() {
    usual() = sqlite3_vfs_find(nullptr);
    vfs_ = *usual();
    vfs_.zName = "recording";
    vfs_.szOsFile = sizeof(RecordedFile);
    vfs_.pNext = nullptr;
    vfs_.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
      RecordedFile& mine = as_recorded(file);
      mine.base.pMethods = nullptr;
      mine.real = static_cast<sqlite3_file*>(sqlite3_malloc(usual()->szOsFile));
      std::memset(mine.real, 0, static_cast<std::size_t>(usual()->szOsFile));
      const int code = usual()->xOpen(usual(), name, mine.real, flags, out_flags);
      if (code != SQLITE_OK) {
        sqlite3_free(mine.real);
        return code;
      }
      mine.name = new std::string(name == nullptr ? "temporary" : fs::path(name).filename().string());
      mine.base.pMethods = &kMethods;
      return code;
    };
    vfs_.xDelete = [](sqlite3_vfs*, const char* name, int sync) {
      if (recorded != nullptr) recorded->push_back({Step::Kind::kRemove, fs::path(name).filename().string(), 0, {}});
      return usual()->xDelete(usual(), name, sync);
    };
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~RecordingVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(usual(), 1);
    recorded = nullptr;
  }
  RecordingVfs(const RecordingVfs&) = delete;
  RecordingVfs& operator=(const RecordingVfs&) = delete;

 private:
  static sqlite3_vfs*& usual() {
    static sqlite3_vfs* vfs = nullptr;
    return vfs;
  }
  sqlite3_vfs vfs_{};
};

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A file's bytes after some steps, of which those that were not synced may be there, or not, or in part: the disk
/// writes sectors, in any order.
class Disk {
 public:
  Disk(std::map<std::string, std::string> files, Random& random) : files_(std::move(files)), random_(random) {}

  void apply(const Step& step) {
    if (step.kind == Step::Kind::kAcknowledged) return;
    if (step.kind == Step::Kind::kSync) {
      for (const Step& waiting : unsynced_[step.file]) write(waiting);
      unsynced_[step.file].clear();
    } else {
      unsynced_[step.file].push_back(step);
    }
  }
  /// The power is gone.
  const std::map<std::string, std::string>& stop() {
    for (auto& [file, steps] : unsynced_) {
      for (Step step : steps) {
        const double luck = random_.unit();
        if (luck < 0.4) continue;
        if (luck < 0.7 && step.kind == Step::Kind::kWrite) {
          const std::size_t sectors = step.bytes.size() / kSector;
          const std::size_t first = sectors == 0 ? 0 : random_.below(sectors);
          step.offset += first * kSector;
          step.bytes = step.bytes.substr(first * kSector, kSector * (1 + random_.below(4)));
        }
        write(step);
      }
    }
    return files_;
  }

 private:
  static constexpr std::size_t kSector = 512;

  void write(const Step& step) {
    std::string& file = files_[step.file];
    if (step.kind == Step::Kind::kRemove) {
      files_.erase(step.file);
    } else if (step.kind == Step::Kind::kTruncate) {
      file.resize(step.offset);
    } else {
      file.resize(std::max(file.size(), step.offset + step.bytes.size()));
      file.replace(step.offset, step.bytes.size(), step.bytes);
    }
  }

  std::map<std::string, std::string> files_;
  std::map<std::string, std::vector<Step>> unsynced_;
  Random& random_;
};

class TornWrites : public ::testing::Test {
 protected:
  static void add(SqliteLedger& ledger, const char* version) {
    registry::Manifest manifest;
    manifest.ref = registry::VersionRef::parse(version).value();
    manifest.artifacts = {{"model.onnx", 1, sha256(version)}};
    const std::string json = wire::to_canonical_json(manifest);
    ASSERT_TRUE(ledger.add_version(
        {manifest.ref, json, true, "ann"},
        {"ann", "version.register", version, "", fmt::format(R"({{"manifest_sha256":"{}"}})", sha256(json).hex())}));
  }

  /// What was acknowledged is there, nothing is there in part, and the log and the rollout tell the same. What is
  /// wrong; empty: nothing is.
  std::string problem_of(const fs::path& file, std::uint64_t acknowledged) const {
    auto opened = SqliteLedger::open(file);
    if (!opened) return "it does not open: " + opened.error().message;
    SqliteLedger& ledger = **opened;
    const auto entries = ledger.read(1, 1'000);
    if (!entries || !audit::verify(*entries)) return "the log does not hold";
    if (entries->size() < acknowledged) return "an acknowledged commit is gone";
    if (entries->size() > acknowledged + 1) return "there is more than was done";
    const auto problems = ledger.check_records();
    if (!problems || !problems->empty()) return "the records are not those of the log";
    const auto latest = ledger.rollouts("e", 1);
    if (!latest) return "the rollout can't be read";
    // Two versions, and one entry for each of the rollout's states.
    if (entries->size() <= kVersions) return latest->empty() ? "" : "there is a rollout that nobody started";
    if (latest->size() != 1 || latest->front().revision != states.at(entries->size() - kVersions - 1).revision)
      return "the rollout is not where the log says";
    const auto endpoint = ledger.endpoint("e");
    const bool serves = endpoint && *endpoint && (*endpoint)->stable == "1.1.0";
    if (serves != (latest->front().phase == rollout::Phase::kDone))
      return "what serves is not what the rollout came to";
    return "";
  }

  /// A release from its start to its end, once, on files that are watched.
  void SetUp() override {
    const fs::path file = temporary.path() / "registry.db";
    const RecordingVfs vfs;
    const auto ledger = SqliteLedger::open(file).value();
    add(*ledger, "m@1.0.0");
    add(*ledger, "m@1.1.0");
    begin["registry.db"] = read_file(file);
    begin["registry.db-journal"] = read_file(temporary.path() / "registry.db-journal");
    recorded = &steps;
    rollout::State fresh;
    fresh.id = "e-1";
    fresh.endpoint = "e";
    fresh.stable = "1.0.0";
    fresh.candidate = "1.1.0";
    fresh.plan = rollout::default_plan();
    const auto commit = [&](const rollout::Transition& moved) {
      ASSERT_TRUE(moved.changed);
      ASSERT_TRUE(ledger->commit(moved, "m"));
      states.push_back(moved.state);
      steps.push_back({Step::Kind::kAcknowledged, "", ledger->size().value(), {}});
    };
    commit(rollout::start(fresh, Timestamp(seconds(1)), "ann", "better"));
    commit(rollout::step(states.back(), rollout::CandidateReady{}, Timestamp(seconds(2))));
    commit(rollout::step(states.back(), rollout::Promote{"ann", "go"}, Timestamp(seconds(3))));
    commit(rollout::step(states.back(), rollout::Promote{"ann", "go"}, Timestamp(seconds(4))));
    recorded = nullptr;
    ASSERT_EQ(states.back().phase, rollout::Phase::kDone);
    ASSERT_GT(steps.size(), 40U) << "the shim sees what is written";
  }

  /// What is wrong when the power goes after so many steps.
  std::string after(std::size_t cut, bool syncs, Random& random) const {
    std::uint64_t acknowledged = kVersions;
    Disk disk(begin, random);
    for (std::size_t i = 0; i < cut; ++i) {
      if (steps[i].kind == Step::Kind::kAcknowledged) acknowledged = steps[i].offset;
      if (syncs || steps[i].kind != Step::Kind::kSync) disk.apply(steps[i]);
    }
    const TemporaryFolder left;
    for (const auto& [name, bytes] : disk.stop()) std::ofstream(left.path() / name, std::ios::binary) << bytes;
    return problem_of(left.path() / "registry.db", acknowledged);
  }

  static constexpr std::uint64_t kVersions = 2;
  std::vector<Step> steps;
  std::vector<rollout::State> states;
  std::map<std::string, std::string> begin;
  const TemporaryFolder temporary;
};

TEST_F(TornWrites, ACommitIsThereAsAWholeOrNotWhereverThePowerGoes) {
  constexpr int kTries = 2;
  Random random(1);
  for (std::size_t cut = 0; cut <= steps.size(); ++cut)
    for (int run = 0; run < kTries; ++run)
      ASSERT_EQ(after(cut, true, random), "") << "after step " << cut << " of " << steps.size();
}

TEST_F(TornWrites, ADiskThatOnlySaysThatItHasSyncedIsFoundOut) {
  Random random(1);
  int found = 0;
  for (std::size_t cut = 1; cut <= steps.size(); cut += 9) found += after(cut, false, random).empty() ? 0 : 1;
  EXPECT_GT(found, 0) << "what is looked for above would be seen";
}

}  // namespace
}  // namespace backstay
