#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.hpp"
#include "base/temporary_folder.hpp"
#include "storage/memory/memory_ledger.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"
#include "wire/manifest_json.hpp"

// What every VersionSearch promises (ports/version_search.hpp), and that two of them agree about any filter.
namespace backstay {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Moves when it is told to.
class SetClock : public Clock {
 public:
  Timestamp now() const override { return now_; }
  Monotonic monotonic() const override { return {}; }
  void advance(seconds by) { now_ += by; }

 private:
  Timestamp now_{parse_rfc3339("2025-08-01T00:00:00Z").value()};
};

struct InMemory {
  SetClock clock;
  MemoryLedger ledger{clock};
};
struct OnDisk {
  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  SetClock clock;
  std::unique_ptr<SqliteLedger> opened = SqliteLedger::open(folder / "registry.db", clock).value();
  SqliteLedger& ledger = *opened;
};

registry::Manifest manifest_of(const std::string& ref) {
  registry::Manifest manifest;
  manifest.ref = registry::VersionRef::parse(ref).value();
  manifest.artifacts = {{"model.onnx", 5, sha256(ref)}};
  return manifest;
}

template <class Ledger>
void add(Ledger& ledger, const registry::Manifest& manifest, bool complete = true, const std::string& actor = "alice") {
  ASSERT_TRUE(ledger.add_version({manifest.ref, wire::to_canonical_json(manifest), complete, actor},
                                 {actor, "version.register", manifest.ref.str(), "", "{}"}));
}

template <class Ledger>
void measure(Ledger& ledger, const registry::VersionRef& ref, const std::string& name, double value,
             const std::string& group = "") {
  ASSERT_TRUE(ledger.add_scorecard(ref,
                                   {registry::ScorecardKind::kQuality, "d", "ci", {{name, group, value, 100, {}, {}}}},
                                   {"ci", "s", "", "", "{}"}));
}

template <class Ledger>
void judge(Ledger& ledger, const registry::VersionRef& ref, const std::string& gate, const std::string& word) {
  StoredVerdict verdict;
  verdict.gate = gate;
  verdict.verdict = word;
  verdict.evidence = "{}";
  ASSERT_TRUE(ledger.add_verdict(ref, verdict, {"ci", "g", "", "", "{}"}));
}

template <class Ledger>
void name(Ledger& ledger, const registry::VersionRef& ref, const std::string& alias) {
  std::optional<registry::SemanticVersion> before;
  const std::vector<Alias> all = ledger.aliases(ref.model).value();
  for (const Alias& known : all)
    if (known.name == alias) before = known.ref.version;
  ASSERT_TRUE(ledger.set_alias(ref.model, alias, ref.version, before, {"ann", "alias.set", ref.str(), "", "{}"}));
}

/// All pages, of `limit` versions each; what a page promises is checked on the way.
std::vector<std::string> names(const VersionSearch& ledger, const std::string& filter, std::size_t limit = 500) {
  const auto query = search::parse(filter);
  EXPECT_TRUE(query) << filter << ": " << query.error().message;
  std::vector<std::string> found;
  std::string cursor;
  do {
    const auto page = ledger.search(*query, cursor, limit);
    EXPECT_TRUE(page) << filter << ": " << page.error().message;
    if (!page) return {"error"};
    EXPECT_LE(page->versions.size(), limit);
    EXPECT_TRUE(page->next.empty() || page->versions.size() == limit);
    for (const StoredVersion& version : page->versions) found.push_back(version.ref.str());
    cursor = page->next;
  } while (!cursor.empty());
  return found;
}

template <class Store>
class SearchContract : public ::testing::Test {
 protected:
  void SetUp() override {
    registry::Manifest first = manifest_of("a@1.0.0");
    first.data = {{"zips", "training", "", {{"2025-08/zip-10001", sha256("z"), 5, ""}}}};
    first.config = {{"lr", "0.001"}, {"optimizer", "adam"}};
    first.environment.frameworks = {{"torch", "2.10.0"}};
    first.changelog = "Trained with site C; sensitivity rises.";
    first.code.commit = "0a1b2c3";
    add(ledger, first);
    registry::Manifest second = manifest_of("a@1.1.0-rc.1");
    second.config = {{"lr", "0.1"}, {"optimizer", "sgd"}};
    second.environment.frameworks = {{"torch", "2.9.0"}};
    second.parents = {first.ref};
    second.changelog = "A site-wide fix of c.";
    add(ledger, second, false, "bob");
    add(ledger, manifest_of("b@0.9.0"));
    measure(ledger, first.ref, "accuracy", 0.9);
    measure(ledger, first.ref, "accuracy", 0.96);
    measure(ledger, first.ref, "accuracy", 0.7, "age<50");
    measure(ledger, second.ref, "accuracy", 0.97);
    StoredScan scan;
    ASSERT_TRUE(ledger.add_scan(first.ref, scan, {"ci", "version.scan", "", "", "{}"}));
    scan.report.add({scan::Verdict::kDangerous, "import", "model.pkl", "posix.system", "It runs commands.", 0});
    ASSERT_TRUE(ledger.add_scan(first.ref, scan, {"ci", "version.scan", "", "", "{}"}));
    judge(ledger, first.ref, "production", "FAIL");
    judge(ledger, first.ref, "production", "PASS");
    name(ledger, first.ref, "champion");
    name(ledger, first.ref, "best");
    name(ledger, second.ref, "challenger");
    name(ledger, second.ref, "best");  // It moves.
    store.clock.advance(seconds(3600));
  }
  std::vector<std::string> found(const std::string& filter, std::size_t limit = 500) {
    return names(ledger, filter, limit);
  }

  Store store;
  decltype(store.ledger)& ledger = store.ledger;
};
using Stores = ::testing::Types<InMemory, OnDisk>;
TYPED_TEST_SUITE(SearchContract, Stores);

TYPED_TEST(SearchContract, FindsByEveryKindOfField) {
  EXPECT_THAT(this->found(""), ElementsAre("b@0.9.0", "a@1.1.0-rc.1", "a@1.0.0"));
  EXPECT_THAT(this->found("model = b"), ElementsAre("b@0.9.0"));
  EXPECT_THAT(this->found("version < 1.0.0"), ElementsAre("b@0.9.0"));
  EXPECT_THAT(this->found("version > 1.0.0"), ElementsAre("a@1.1.0-rc.1"));
  EXPECT_THAT(this->found("version = 1.1.*"), ElementsAre("a@1.1.0-rc.1"));
  EXPECT_THAT(this->found("ordinal = 1"), ElementsAre("b@0.9.0", "a@1.0.0"));
  EXPECT_THAT(this->found("stage = Production"), IsEmpty());
  EXPECT_THAT(this->found("alias = champion"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("alias = ch*"), ElementsAre("a@1.1.0-rc.1", "a@1.0.0"));
  EXPECT_THAT(this->found("alias IS NULL"), ElementsAre("b@0.9.0"));
  EXPECT_THAT(this->found("created = 2025-08-01 AND registered_by = bob"), ElementsAre("a@1.1.0-rc.1"));
  EXPECT_THAT(this->found("created < 2025-08-01 OR created > -1m"), IsEmpty());
  EXPECT_THAT(this->found("complete = false"), ElementsAre("a@1.1.0-rc.1"));
  EXPECT_THAT(
      this->found("identity = " + sha256(wire::to_canonical_json(manifest_of("b@0.9.0"))).hex().substr(0, 7) + "*"),
      ElementsAre("b@0.9.0"));
  EXPECT_THAT(this->found("data.slice = \"2025-08/zip-100*\" AND data.set = zips AND data.role = training"),
              ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("data.slice = zips/2025*"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("code.commit = 0a1b2c3"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("config.lr < 0.01"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("config.lr != 0.001"), ElementsAre("b@0.9.0", "a@1.1.0-rc.1"));
  EXPECT_THAT(this->found("config.optimizer IN (sgd, rmsprop)"), ElementsAre("a@1.1.0-rc.1"));
  EXPECT_THAT(this->found("environment.torch > 2.9"), ElementsAre("a@1.1.0-rc.1", "a@1.0.0"));
  EXPECT_THAT(this->found("environment.torch >= 2.10.0"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("parent = a@1.0.0"), ElementsAre("a@1.1.0-rc.1"));
  EXPECT_THAT(this->found("data.rows >= 5 AND data.rows < 6"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("artifact.size = 5 AND model = b"), ElementsAre("b@0.9.0"));
  EXPECT_THAT(this->found("scorecard.kind = quality AND scorecard.evaluator = ci"),
              ElementsAre("a@1.1.0-rc.1", "a@1.0.0"));
  EXPECT_THAT(this->found("scan = dangerous"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("scan = safe"), IsEmpty()) << "the newest scan counts";
  EXPECT_THAT(this->found("scan IS NULL"), ElementsAre("b@0.9.0", "a@1.1.0-rc.1"));
  EXPECT_THAT(this->found("artifact.path LIKE MODEL.*"), ElementsAre("b@0.9.0", "a@1.1.0-rc.1", "a@1.0.0"));
}

TYPED_TEST(SearchContract, TheNewestMeasurementAndVerdictCount) {
  EXPECT_THAT(this->found("accuracy > 0.95"), ElementsAre("a@1.1.0-rc.1", "a@1.0.0"));
  EXPECT_THAT(this->found("accuracy = 0.9"), IsEmpty());
  EXPECT_THAT(this->found("metrics.accuracy{age<50} = 0.7"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("accuracy IS NULL"), ElementsAre("b@0.9.0"));
  EXPECT_THAT(this->found("verdict.production = PASS"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("verdict.production = FAIL"), IsEmpty());
  EXPECT_THAT(this->found("verdict.production != PASS"), ElementsAre("b@0.9.0", "a@1.1.0-rc.1"));
}

TYPED_TEST(SearchContract, ChangelogsAreSearchedByWordsOrPhrase) {
  EXPECT_THAT(this->found("changelog CONTAINS \"C site\""), ElementsAre("a@1.1.0-rc.1", "a@1.0.0"));
  EXPECT_THAT(this->found("changelog MATCH \"site c\""), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("changelog CONTAINS sensi*"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("changelog CONTAINS sensi"), IsEmpty());
  EXPECT_THAT(this->found("NOT changelog CONTAINS site"), ElementsAre("b@0.9.0"));
}

TYPED_TEST(SearchContract, OrdersByFieldsAndPutsWhatHasNoValueLast) {
  EXPECT_THAT(this->found("ORDER BY created", 1), ElementsAre("a@1.0.0", "a@1.1.0-rc.1", "b@0.9.0"));
  EXPECT_THAT(this->found("ORDER BY version DESC", 1), ElementsAre("a@1.1.0-rc.1", "a@1.0.0", "b@0.9.0"));
  EXPECT_THAT(this->found("ORDER BY model DESC", 1), ElementsAre("b@0.9.0", "a@1.1.0-rc.1", "a@1.0.0"));
  EXPECT_THAT(this->found("ORDER BY accuracy", 1), ElementsAre("a@1.0.0", "a@1.1.0-rc.1", "b@0.9.0"));
  EXPECT_THAT(this->found("ORDER BY accuracy DESC", 2), ElementsAre("a@1.1.0-rc.1", "a@1.0.0", "b@0.9.0"));
}

TYPED_TEST(SearchContract, PagesAreStableWhileVersionsAreAdded) {
  const auto query = search::parse("model = p ORDER BY version").value();
  for (int i = 0; i < 10; ++i) add(this->ledger, manifest_of(fmt::format("p@1.{}.0", i * 2)));
  std::vector<std::string> found;
  std::string cursor;
  do {
    const auto page = this->ledger.search(query, cursor, 3).value();
    for (const StoredVersion& version : page.versions) found.push_back(version.ref.str());
    // Before the page's end: it must neither come later nor move what comes later.
    add(this->ledger, manifest_of(fmt::format("p@0.0.{}", found.size())));
    cursor = page.next;
  } while (!cursor.empty());
  EXPECT_THAT(found, ElementsAre("p@1.0.0", "p@1.2.0", "p@1.4.0", "p@1.6.0", "p@1.8.0", "p@1.10.0", "p@1.12.0",
                                 "p@1.14.0", "p@1.16.0", "p@1.18.0"));
}

TYPED_TEST(SearchContract, RefusesACursorOfAnotherFilter) {
  const auto one = search::parse("model = a").value();
  const auto page = this->ledger.search(one, "", 1).value();
  ASSERT_FALSE(page.next.empty());
  EXPECT_EQ(this->ledger.search(search::parse("model = b").value(), page.next, 1).error().code,
            ErrorCode::kInvalidArgument);
}

TYPED_TEST(SearchContract, AVersionIsFoundByItsNewStageAtOnce) {
  rollout::State state;
  state.id = "e-1";
  state.endpoint = "e";
  state.candidate = "1.0.0";
  state.plan = rollout::blue_green_plan();
  state.plan.watch = milliseconds(0);
  rollout::Transition moved = rollout::start(state, Timestamp(seconds(1)), "alice", "why");
  ASSERT_TRUE(this->ledger.commit(moved, "a"));
  moved = rollout::step(moved.state, rollout::CandidateReady{}, Timestamp(seconds(2)));
  ASSERT_TRUE(this->ledger.commit(moved, "a"));
  while (!rollout::is_final(moved.state.phase)) {
    moved = rollout::step(moved.state, rollout::Promote{"alice", "go"}, Timestamp(seconds(3)));
    ASSERT_TRUE(this->ledger.commit(moved, "a"));
  }
  EXPECT_THAT(this->found("stage = production"), ElementsAre("a@1.0.0"));
  EXPECT_THAT(this->found("stage != production"), ElementsAre("b@0.9.0", "a@1.1.0-rc.1"));
}

// --- the two stores agree ---

class Agreement : public ::testing::Test {
 protected:
  template <class T>
  const T& one_of(const std::vector<T>& choices) {
    return choices[random.below(choices.size())];
  }
  bool chance(std::uint64_t in) { return random.below(in) == 0; }
  std::string version() {
    const std::string base = fmt::format("{}.{}.{}", random.below(3), random.below(12), random.below(3));
    return chance(3) ? base + one_of(std::vector<std::string>{"-a", "-a.1", "-rc.2", "-rc.10", "-2"}) : base;
  }
  double number() { return static_cast<double>(random.below(12)) / 4.0; }
  std::string text() { return one_of(texts); }

  void fill() {
    for (int i = 0; i < 60; ++i) {
      registry::Manifest m = manifest_of(one_of(models) + "@" + version());
      if (chance(2))
        m.data = {
            {one_of(sets), one_of(std::vector<std::string>{"training", "test"}), "", {{text(), sha256("s"), 5, ""}}}};
      if (!chance(3)) m.config["lr"] = chance(4) ? text() : fmt::format("{}", number());
      if (chance(3)) m.config["odd key"] = text();
      if (chance(2)) m.environment.frameworks["torch"] = version();
      if (chance(3)) m.dependencies = {{"db", "database", "upstream", version(), ""}};
      if (chance(2)) m.changelog = text() + " " + text() + "; " + text();
      if (chance(2)) m.code.commit = text();
      const bool complete = chance(2);
      const std::string actor = one_of(models);
      memory.clock.advance(seconds(60));
      disk.clock.advance(seconds(60));
      const VersionStore::NewVersion added{m.ref, wire::to_canonical_json(m), complete, actor};
      const bool here = memory.ledger.add_version(added, {}).has_value();
      const bool there = disk.ledger.add_version(added, {}).has_value();
      ASSERT_EQ(here, there);
      if (!here) continue;
      while (!chance(3)) {
        const std::string name = one_of(metrics);
        const std::string group = chance(3) ? "g" : "";
        const double value = number();
        measure(memory.ledger, m.ref, name, value, group);
        measure(disk.ledger, m.ref, name, value, group);
      }
      while (!chance(3)) {
        const std::string alias = one_of(aliases);
        name(memory.ledger, m.ref, alias);
        name(disk.ledger, m.ref, alias);
      }
      while (!chance(2)) {
        const std::string word = one_of(verdicts);
        judge(memory.ledger, m.ref, "gate", word);
        judge(disk.ledger, m.ref, "gate", word);
      }
    }
  }

  std::string pattern() {
    std::string out = text();
    if (chance(2))
      out = out.substr(0, random.below(out.size() + 1)) + "*" + (chance(2) ? out.substr(out.size() / 2) : "");
    if (chance(6)) out = "*" + out;
    return "\"" + out + "\"";
  }
  std::string order_symbol() { return one_of(std::vector<std::string>{"=", "!=", "<", "<=", ">", ">="}); }
  std::string equal_symbol() { return one_of(std::vector<std::string>{"=", "!=", "LIKE", "NOT LIKE"}); }

  std::string comparison() {
    switch (random.below(18)) {
      case 0: return fmt::format("model {} {}", equal_symbol(), one_of(models));
      case 1: return fmt::format("version {} {}", order_symbol(), version());
      case 2: return fmt::format("version = {}.*", random.below(3));
      case 3: return fmt::format("ordinal {} {}", order_symbol(), random.below(20));
      case 4:
        return fmt::format("created {} \"2025-08-01T00:{}{}:00Z\"", order_symbol(), random.below(6), random.below(10));
      case 5: return fmt::format("complete {} {}", chance(2) ? "=" : "!=", chance(2));
      case 6: return fmt::format("data.slice {} {}", equal_symbol(), pattern());
      case 7: return fmt::format("config.lr {} {}", order_symbol(), number());
      case 8: return fmt::format("config.lr {} \"{}\"", order_symbol(), text());
      case 9: return fmt::format("config.\"odd key\" {} {}", equal_symbol(), pattern());
      case 10: return fmt::format("{} {} {}", one_of(metrics), order_symbol(), number());
      case 11: return fmt::format("metrics.{}{{g}} {} {}", one_of(metrics), order_symbol(), number());
      case 12: return fmt::format("verdict.gate {} {}", chance(2) ? "=" : "!=", one_of(verdicts));
      case 13: return fmt::format("{} IS {}NULL", one_of(nullable), chance(2) ? "NOT " : "");
      case 14: return fmt::format("environment.torch {} {}", order_symbol(), version());
      case 15:
        return fmt::format("changelog {} \"{}{}\"", chance(2) ? "CONTAINS" : "MATCH", chance(2) ? text() : "",
                           chance(2)   ? " al"
                           : chance(2) ? " al*"
                                       : " x");
      case 16:
        return chance(2) ? fmt::format("alias {} {}", order_symbol(), one_of(aliases))
                         : fmt::format("alias {} \"{}*\"", chance(2) ? "=" : "!=", one_of(aliases).substr(0, 2));
      default:
        return fmt::format("{} {}IN (\"{}\", {}, {})", one_of(listable), chance(3) ? "NOT " : "", text(), pattern(),
                           one_of(models));
    }
  }
  std::string filter(int depth) {
    if (depth == 0 || chance(3)) return comparison();
    if (chance(4)) return "NOT (" + filter(depth - 1) + ")";
    std::string out = "(" + filter(depth - 1);
    const char* word = chance(3) ? " OR " : " AND ";
    for (std::uint64_t i = 0; i <= random.below(3); ++i) out += word + filter(depth - 1);
    return out + ")";
  }
  std::string order() {
    if (chance(3)) return "";
    return " ORDER BY " + one_of(orders) + (chance(2) ? " DESC" : "");
  }

  Random random{20250801};
  InMemory memory;
  OnDisk disk;
  const std::vector<std::string> models{"a", "b", "c1", "c2"};
  const std::vector<std::string> sets{"zips", "wards"};
  const std::vector<std::string> texts{"alpha", "Alpha", "al pha", "be[t]a", "a%b_c",
                                       "what?", "x",     "0.5",    "10",     "back/slash-1"};
  const std::vector<std::string> aliases{"champion", "challenger", "x"};
  const std::vector<std::string> metrics{"accuracy", "auc"};
  const std::vector<std::string> verdicts{"PASS", "FAIL", "INSUFFICIENT"};
  const std::vector<std::string> nullable{"accuracy",   "config.lr",      "verdict.gate", "alias",    "parent",
                                          "data.slice", "metrics.auc{g}", "scan",         "data.rows"};
  const std::vector<std::string> listable{"model",     "registered_by", "alias",   "data.slice",
                                          "config.lr", "code.commit",   "data.set"};
  const std::vector<std::string> orders{"created", "model", "version", "ordinal", "accuracy", "metrics.auc{g}"};
};

TEST_F(Agreement, OfRandomFiltersOverARandomRegistry) {
  fill();
  constexpr int kFilters = 2000;
  int with_some = 0;
  for (int i = 0; i < kFilters; ++i) {
    const std::string text = (chance(20) ? std::string() : filter(3)) + order();
    const auto query = search::parse(text);
    ASSERT_TRUE(query) << text << ": " << query.error().message;
    const auto printed = search::parse(search::print(*query));
    ASSERT_TRUE(printed) << search::print(*query) << ": " << printed.error().message;
    ASSERT_EQ(*printed, *query) << text << " -> " << search::print(*query);
    const std::vector<std::string> expected = names(memory.ledger, text);
    disk.ledger.tune_search({one_of(std::vector<int>{1, 5, 2000}), seconds(60)});  // Every way to find them.
    ASSERT_EQ(names(disk.ledger, text, 1 + random.below(7)), expected) << text;
    with_some += expected.empty() ? 0 : 1;
  }
  EXPECT_GT(with_some, kFilters / 4);
}

TEST_F(Agreement, OfADatabaseThatWasThereBeforeItCouldBeSearched) {
  fill();
  const fs::path file = disk.folder / "registry.db";
  disk.opened.reset();
  {
    // As it was with the schema before.
    const auto raw = sqlite::Database::open(file).value();
    ASSERT_TRUE(
        raw.execute("DROP INDEX aliases_by_name; DROP INDEX aliases_of; DROP TRIGGER search_first_stage; DROP TRIGGER "
                    "search_stage; DROP TRIGGER search_verdict; DROP TRIGGER search_scan; DROP "
                    "TABLE attributes;"
                    "DROP TABLE metrics; DROP TABLE newest_verdicts; DROP TABLE changelogs; DROP TABLE "
                    "search_versions; DROP TABLE answers; DROP TABLE told; DROP TABLE dead_letters; DROP TABLE "
                    "gate_exceptions; DROP TABLE signed_scan_exceptions;"
                    "PRAGMA user_version = 5"));
    auto triggers = raw.prepare("SELECT name FROM sqlite_schema WHERE name LIKE '%refuse_REPLACE'");
    std::vector<std::string> names;
    while (triggers.step().value()) names.push_back(triggers.text(0));
    for (const std::string& name : names) ASSERT_TRUE(raw.execute(fmt::format("DROP TRIGGER {}", name).c_str()));
  }
  const auto opened = SqliteLedger::open(file, disk.clock);
  ASSERT_TRUE(opened) << opened.error().message;
  const SqliteLedger& ledger = **opened;
  for (int i = 0; i < 200; ++i) {
    const std::string text = filter(2) + order();
    ASSERT_EQ(names(ledger, text), names(memory.ledger, text)) << text;
  }
}

}  // namespace
}  // namespace backstay
