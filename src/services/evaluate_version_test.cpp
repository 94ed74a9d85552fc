#include "services/evaluate_version.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "base/random.hpp"
#include "storage/local_blobs/local_blob_store.hpp"
#include "storage/memory/memory_blob_store.hpp"
#include "storage/memory/memory_ledger.hpp"
#include "wire/manifest_json.hpp"

namespace backstay::services {
namespace {

using evaluation::NamedTensor;

/// Journals that live as long as this object.
class MemoryJournals : public EvaluationJournals {
 public:
  class Journal : public EvaluationJournal {
   public:
    explicit Journal(std::map<std::uint64_t, std::string>& kept) : before_(kept), kept_(kept) {}
    const std::map<std::uint64_t, std::string>& recorded() const override { return before_; }
    Result<void> append(std::uint64_t batch, const std::string& text) override {
      const std::lock_guard lock(mutex_);
      kept_[batch] = text;
      return {};
    }

   private:
    const std::map<std::uint64_t, std::string> before_;
    std::map<std::uint64_t, std::string>& kept_;
    std::mutex mutex_;
  };
  Result<std::unique_ptr<EvaluationJournal>> open(const Digest& key) override {
    return std::unique_ptr<EvaluationJournal>(std::make_unique<Journal>(kept[key]));
  }
  void remove(const Digest& key) override { kept.erase(key); }
  std::map<Digest, std::map<std::uint64_t, std::string>> kept;
};

/// score = x; fails after `fail_after` requests.
class Halves : public ModelRunner {
 public:
  Halves(std::atomic<int>& asked, int fail_after) : asked_(asked), fail_after_(fail_after) {
    signature_.inputs = {{"x", "FP64", {-1, 1}}};
    signature_.outputs = {{"score", "FP64", {-1}}};
  }
  const registry::Signature& signature() const override { return signature_; }
  std::unique_ptr<ModelSession> open_session() override { return std::make_unique<Session>(*this); }
  std::uint64_t restarts() const override { return 2; }

 private:
  class Session : public ModelSession {
   public:
    explicit Session(Halves& model) : model_(model) {}
    Result<Answer> predict(const std::vector<NamedTensor>& inputs) override {
      if (++model_.asked_ > model_.fail_after_)
        return Unexpected(ErrorCode::kUnavailable, "The model went away.", "Start it.");
      NamedTensor score{{"score", "FP64", {inputs[0].spec.shape[0]}}, inputs[0].numbers, {}};
      return Answer{{score}, nanoseconds(1000)};
    }

   private:
    Halves& model_;
  };
  std::atomic<int>& asked_;
  const int fail_after_;
  registry::Signature signature_;
};

class EvaluateVersion : public testing::Test {
 protected:
  EvaluateVersion()
      : folder_(std::filesystem::temp_directory_path() / ("evaluate-" + std::to_string(secure_random()))) {
    std::filesystem::create_directories(folder_);
    registry::Manifest manifest;
    manifest.ref = *registry::VersionRef::parse("m@1.0.0");
    EXPECT_TRUE(ledger_.add_version({manifest.ref, wire::to_canonical_json(manifest), false, "tests", {}},
                                    {"tests", "version.register", "m@1.0.0", "", "{}"}));
  }
  ~EvaluateVersion() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  Result<Evaluation> evaluate(const std::string& suite, int fail_after = 1'000'000, const char* baseline = nullptr) {
    EvaluationPorts ports{
        {ledger_, blobs_},
        journals_,
        [&](const registry::VersionRef&, const evaluation::BackendChoice&) -> Result<std::unique_ptr<ModelRunner>> {
          return std::unique_ptr<ModelRunner>(std::make_unique<Halves>(asked_, fail_after));
        }};
    EvaluationRequest request;
    request.version = *registry::VersionRef::parse("m@1.0.0");
    request.suite_name = "suite.yaml";
    request.suite_text = suite;
    request.folder = folder_;
    if (baseline != nullptr) {
      request.baseline = *registry::VersionRef::parse(baseline);
      registry::Manifest manifest;
      manifest.ref = *request.baseline;
      EXPECT_TRUE(ledger_.add_version({manifest.ref, wire::to_canonical_json(manifest), false, "tests", {}},
                                      {"tests", "version.register", baseline, "", "{}"}));
    }
    request.progress = [this](const Progress& progress) {
      (progress.name.starts_with("measuring") ? measured_ : told_) = progress;
    };
    return evaluate_version(ports, request, {"tests"});
  }

  std::string table(int rows) {
    std::string text = "x,y\n";
    for (int i = 0; i < rows; ++i) text += (i % 4 == 0 ? "0.1,0\n" : i % 4 == 1 ? "0.9,1\n" : "0.6,1\n");
    return text;
  }

  const std::filesystem::path folder_;
  MemoryLedger ledger_;
  MemoryBlobStore blobs_;
  MemoryJournals journals_;
  std::atomic<int> asked_{0};
  Progress told_;
  Progress measured_;
};

constexpr const char* kSuite = R"(
name: s
batch: 10
parallel: 3
sets: [{name: a, files: a.csv, inputs: [{columns: [x]}], label: y, classes: ["0", "1"]}]
)";

TEST_F(EvaluateVersion, StoresWhatItMeasured) {
  write("a.csv", table(95));
  const auto done = evaluate(kSuite);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(asked_, 10);
  EXPECT_EQ(told_.done_bytes, 95U);
  EXPECT_EQ(told_.total_bytes, 95U);
  EXPECT_GT(measured_.total_bytes, 10U);
  EXPECT_EQ(measured_.done_bytes, measured_.total_bytes);
  const auto cards = *ledger_.scorecards(*registry::VersionRef::parse("m@1.0.0"));
  ASSERT_EQ(cards.size(), 1U);
  EXPECT_EQ(cards[0].scorecard.dataset, "a");
  EXPECT_EQ(cards[0].scorecard.confidence, 0.95);
  EXPECT_THAT(cards[0].scorecard.evaluator, testing::HasSubstr(done->suite_sha256.hex().substr(0, 12)));
  EXPECT_EQ(cards[0].scorecard.metrics[0].name, "accuracy");
  EXPECT_EQ(cards[0].scorecard.metrics[0].value, 1);
  EXPECT_TRUE(journals_.kept.empty());
}

TEST_F(EvaluateVersion, GoesOnWhereAFailureLeftIt) {
  write("a.csv", table(95));
  const auto failed = evaluate(kSuite, 6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "The model went away.");
  EXPECT_TRUE(ledger_.scorecards(*registry::VersionRef::parse("m@1.0.0"))->empty());
  ASSERT_EQ(journals_.kept.size(), 1U);
  EXPECT_EQ(journals_.kept.begin()->second.size(), 6U);
  asked_ = 0;
  const auto done = evaluate(kSuite);
  ASSERT_TRUE(done);
  EXPECT_EQ(asked_, 4);
  EXPECT_EQ(done->scorecards[0].scorecard.metrics[0].samples, 95U);
}

TEST_F(EvaluateVersion, AsksAnewWhenTheDataIsAnother) {
  write("a.csv", table(95));
  ASSERT_FALSE(evaluate(kSuite, 6));
  write("a.csv", table(96));
  asked_ = 0;
  ASSERT_TRUE(evaluate(kSuite));
  EXPECT_EQ(asked_, 10);
}

TEST_F(EvaluateVersion, FirstSetsScorecardsAreTheNewest) {
  write("a.csv", table(40));
  write("b.csv", table(20));
  const auto done = evaluate(R"(
name: s
sets:
  - {name: a, files: a.csv, inputs: [{columns: [x]}], label: y, classes: ["0", "1"]}
  - {name: b, files: b.csv, inputs: [{columns: [x]}], label: y, classes: ["0", "1"]}
)");
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->scorecards.size(), 2U);
  EXPECT_EQ(done->scorecards[0].scorecard.dataset, "b");
  EXPECT_EQ(done->scorecards[1].scorecard.dataset, "a");
}

TEST_F(EvaluateVersion, ReadsJsonLinesWithMissingCells) {
  write("a.jsonl", "{\"x\": 0.9, \"y\": 1}\n{\"y\": 0}\n{\"y\": 1, \"x\": 0.2}\n");
  const std::string suite = R"(
name: s
sets: [{name: a, files: a.jsonl, inputs: [{columns: [x]MISSING}], label: y, classes: ["0", "1"]}]
)";
  const auto with = [&](const std::string& text) {
    std::string out = suite;
    return out.replace(out.find("MISSING"), 7, text);
  };
  const auto refused = evaluate(with(""));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("Row 2"));
  const auto done = evaluate(with(", missing: \"0.1\""));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_NEAR(done->scorecards[0].scorecard.metrics[0].value, 2.0 / 3, 1e-12);
}

TEST_F(EvaluateVersion, AsksAnewWhenAnswersWereRefused) {
  write("a.csv", "x,y\n7.5,1\n0.2,0\n");
  const auto refused = evaluate(kSuite);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("outside of [0, 1]"));
  EXPECT_TRUE(journals_.kept.empty()) << "what was refused would be refused again";
  EXPECT_EQ(asked_, 1);
}

TEST_F(EvaluateVersion, KeepsTheAnswersOfAVersionsOwnFilesWhenThoseOfAnotherSetAreRefused) {
  write("a.csv", table(20));
  write("b.csv", "x,y\n7.5,1\n0.2,0\n");
  const auto suite = [](const std::string& backend) {
    return "name: s\n" + backend +
           "sets:\n  - {name: a, files: a.csv, inputs: [{columns: [x]}], label: y, classes: [\"0\", \"1\"]}\n"
           "  - {name: b, files: b.csv, inputs: [{columns: [x]}], label: y, classes: [\"0\", \"1\"]}\n";
  };
  ASSERT_FALSE(evaluate(suite("")));
  EXPECT_EQ(journals_.kept.size(), 1U);
  journals_.kept.clear();
  ASSERT_FALSE(evaluate(suite("backend: {kind: url, url: \"http://127.0.0.1:9\"}\n")));
  EXPECT_TRUE(journals_.kept.empty()) << "what stands behind a url may have been another model";
}

TEST_F(EvaluateVersion, FlattensListsOfNumbersIntoAnInputThatTheyFit) {
  write("a.jsonl", "{\"e\": [0.9], \"y\": 1}\n{\"e\": [0.2], \"y\": 0}\n{\"e\": null, \"y\": 1}\n");
  const auto suite = [](const std::string& input) {
    return "name: s\nsets: [{name: a, files: a.jsonl, inputs: [{" + input + "}], label: y, classes: [\"0\", \"1\"]}]\n";
  };
  const auto done = evaluate(suite("columns: [e], missing: \"0.6\""));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->scorecards[0].scorecard.metrics[0].value, 1);
  write("a.jsonl", "{\"e\": [0.9, 0.1], \"y\": 1}\n{\"e\": [0.2, 0.3], \"y\": 0}\n");
  const auto wide = evaluate(suite("columns: [e], missing: \"0\""));
  ASSERT_FALSE(wide);
  EXPECT_THAT(wide.error().message, testing::HasSubstr("gives it 2 numbers, with those in lists"));
  write("a.jsonl", "{\"e\": [0.9], \"y\": 1}\n{\"e\": [0.2, 0.3], \"y\": 0}\n");
  const auto uneven = evaluate(suite("columns: [e], missing: \"0\""));
  ASSERT_FALSE(uneven);
  EXPECT_THAT(uneven.error().message, testing::HasSubstr("Row 2 of the set 'a' has 2 numbers in the column 'e'"));
  for (const char* nested : {"{\"v\": 0.9}", "[\"a\"]", "[[0.9]]", "[]"}) {
    write("a.jsonl", fmt::format("{{\"e\": {}, \"y\": 1}}\n", nested));
    const auto refused = evaluate(suite("columns: [e], missing: \"0\""));
    ASSERT_FALSE(refused) << nested;
    EXPECT_THAT(refused.error().message,
                testing::HasSubstr("Row 1 of the set 'a' has no list of numbers in the column 'e'"));
  }
  write("a.jsonl", "{\"e\": 0.9, \"y\": [1]}\n");
  const auto label = evaluate(suite("columns: [e]"));
  ASSERT_FALSE(label);
  EXPECT_THAT(label.error().message, testing::HasSubstr("something nested in the column 'y'"));
}

TEST_F(EvaluateVersion, TakesNanForMissingAndSendsItWhenThatIsAskedFor) {
  write("a.csv", "x,y\nNaN,0\n0.9,1\n");
  const auto suite = [](const std::string& missing) {
    return "name: s\nsets: [{name: a, files: a.csv, inputs: [{columns: [x]" + missing +
           "}], label: y, classes: [\"0\", \"1\"]}]\n";
  };
  const auto refused = evaluate(suite(""));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().hint, testing::HasSubstr("missing: nan"));
  const auto filled = evaluate(suite(", missing: \"0.1\""));
  ASSERT_TRUE(filled) << filled.error().message;
  EXPECT_EQ(filled->scorecards[0].scorecard.metrics[0].value, 1);
  const auto sent = evaluate(suite(", missing: nan"));
  ASSERT_FALSE(sent) << "the model gives back what it got";
  EXPECT_THAT(sent.error().message, testing::HasSubstr("is nan, outside of [0, 1]"));
}

TEST_F(EvaluateVersion, MarksItsScorecardsAsEvaluated) {
  write("a.csv", table(40));
  ASSERT_TRUE(evaluate(kSuite));
  const auto cards = *ledger_.scorecards(*registry::VersionRef::parse("m@1.0.0"));
  EXPECT_EQ(cards.at(0).scorecard.source, registry::Source::kEvaluated);
}

TEST_F(EvaluateVersion, SaysWhyFiguresAreMissingAndThatBackendsWentAway) {
  write("a.csv", "x,y\n0.9,1\n0.8,1\n");
  const auto done = evaluate(kSuite);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->restarts, 2U);
  ASSERT_EQ(done->warnings.size(), 2U);
  EXPECT_THAT(done->warnings[0], testing::HasSubstr("2 times"));
  EXPECT_THAT(done->warnings[1], testing::HasSubstr("All 2 rows of the set 'a' are of the class '1'"));
  EXPECT_THAT(done->warnings[1], testing::HasSubstr("average_precision"));
}

TEST_F(EvaluateVersion, ComparesNoVersionWithItselfBehindOneUrl) {
  write("a.csv", table(40));
  const auto suite = [](const std::string& backend) { return kSuite + ("backend: {" + backend + "}\n"); };
  const auto same = evaluate(suite("kind: url, url: \"http://127.0.0.1:9\""), 1'000'000, "m@0.9.0");
  ASSERT_FALSE(same);
  EXPECT_THAT(same.error().message, testing::HasSubstr("same url for 1.0.0 and 0.9.0: http://127.0.0.1:9."));
  EXPECT_THAT(same.error().hint, testing::HasSubstr("--against none"));
  EXPECT_EQ(asked_, 0) << "nothing is asked before";
  EXPECT_TRUE(ledger_.scorecards(*registry::VersionRef::parse("m@1.0.0"))->empty());
}

TEST_F(EvaluateVersion, WarnsOfVersionsBehindOneCommandThatAnswerAlike) {
  write("a.csv", table(40));
  const auto done =
      evaluate(kSuite + std::string("backend: {kind: process, command: [serve]}\n"), 1'000'000, "m@0.9.0");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(done->warnings, testing::Contains(testing::HasSubstr("m@1.0.0 and m@0.9.0 gave the same answers")));
  EXPECT_FALSE(journals_.kept.size());
  const auto own = evaluate(kSuite, 1'000'000, "m@0.8.0");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_THAT(own->warnings, testing::Not(testing::Contains(testing::HasSubstr("the same answers"))))
      << "a version's own files are what they are";
}

TEST_F(EvaluateVersion, RefusesRowsThatWouldCountTwiceAndColumnsThatAreTwo) {
  const auto suite = [](const std::string& files) {
    return "name: s\nsets: [{name: a, files: " + files +
           ", inputs: [{columns: [x]}], label: y, classes: [\"0\", \"1\"]}]\n";
  };
  write("a.csv", table(20));
  for (const char* files : {"[a.csv, a.csv]", "[a.csv, ./a.csv]"}) {
    const auto twice = evaluate(suite(files));
    ASSERT_FALSE(twice) << files;
    EXPECT_THAT(twice.error().message, testing::HasSubstr("twice"));
  }
  write("b.csv", "x,y,x\n0.1,0,0.9\n");
  const auto two = evaluate(suite("b.csv"));
  ASSERT_FALSE(two);
  EXPECT_THAT(two.error().message, testing::HasSubstr("several columns 'x'"));
  std::filesystem::create_symlink("a.csv", folder_ / "c.csv");
  const auto link = evaluate(suite("c.csv"));
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(link.error().message, testing::HasSubstr("is a symbolic link"));
}

}  // namespace
}  // namespace backstay::services
