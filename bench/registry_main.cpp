#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>

#include "base/random.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"
#include "wire/manifest_json.hpp"

/// What a registry costs as it grows, through the same calls as the program makes; each is a transaction of its own.
///
///     bench-registry grow FILE VERSIONS       add versions, each with a scorecard, until there are so many
///     bench-registry measure FILE SAMPLES     one line of JSON per kind of call: register, scorecard, each search
///     bench-registry plans FILE               how SQLite finds the first page of each search

namespace {

using namespace backstay;

constexpr std::uint64_t kModels = 100;
constexpr std::uint64_t kSlices = 20'000;
constexpr std::uint64_t kVocabulary = 5'000;

void fail(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) fail(result.error().message);
  return *std::move(result);
}

std::string word(std::uint64_t number) {
  return fmt::format("word{}", number);
}

/// Frequent words are frequent, as in a language: the n-th with a share of about 1/n.
std::string some_word(Random& random) {
  return word(static_cast<std::uint64_t>(std::pow(static_cast<double>(kVocabulary), random.unit())));
}

std::string slice_name(std::uint64_t number) {
  return fmt::format("2025-{:02}/zip-{:05}", 1 + number % 12, number);
}

/// The n-th version that is ever made, always the same.
registry::Manifest manifest_of(std::uint64_t n) {
  Random random(n + 1);
  registry::Manifest m;
  m.ref.model = fmt::format("model-{:03}", n % kModels);
  m.ref.version.major = n / kModels / 1000;
  m.ref.version.minor = n / kModels % 1000;
  m.artifacts = {{"model.onnx", 1'000'000 + n, sha256(fmt::format("artifact {}", n))}};
  m.code.repository = "git@example.org:models.git";
  m.code.commit = sha256(fmt::format("commit {}", n)).hex().substr(0, 40);
  registry::DataSet& set = m.data.emplace_back();
  set.name = "claims";
  set.role = "training";
  for (std::uint64_t i = 0, number = random.below(kSlices); i < 2; ++i, number = (number + 12) % kSlices)
    set.slices.push_back({slice_name(number), sha256(slice_name(number)), 1000 + number, ""});
  m.config = {{"lr", fmt::format("{:.6f}", random.unit() / 10)},
              {"optimizer", random.below(3) == 0 ? "sgd" : "adam"},
              {"seed", fmt::format("{}", random.below(1000))}};
  m.environment.frameworks = {{"torch", fmt::format("2.{}.{}", random.below(10), random.below(3))}};
  for (int i = 0; i < 12; ++i) m.changelog += (i == 0 ? "" : " ") + some_word(random);
  return m;
}

registry::Scorecard scorecard_of(std::uint64_t n) {
  Random random(n * 2 + 1);
  registry::Scorecard card;
  card.dataset = "held-out";
  card.evaluator = "bench";
  card.metrics = {{"accuracy", "", 0.8 + random.unit() / 5, 1000, {}, {}},
                  {"latency_p95_seconds", "", random.unit() / 20, 1000, {}, {}}};
  return card;
}

void add_version(SqliteLedger& ledger, std::uint64_t n, const std::string& manifest_json,
                 const registry::VersionRef& ref) {
  const auto added = must(ledger.add_version({ref, manifest_json, true, fmt::format("user-{}", n % 50)},
                                             {"bench", "version.register", ref.str(), "", "{}"}));
  if (!added.created) fail(ref.str() + " was there already");
}

void add_scorecard(SqliteLedger& ledger, std::uint64_t n, const registry::VersionRef& ref) {
  must(ledger.add_scorecard(ref, scorecard_of(n), {"bench", "scorecard.add", ref.str(), "", "{}"}));
}

/// How many versions there are: the newest one is the last that was made.
std::uint64_t count(const SqliteLedger& ledger) {
  const SearchPage page = must(ledger.search(search::parse("").value(), "", 1));
  if (page.versions.empty()) return 0;
  const registry::VersionRef& ref = page.versions[0].ref;
  std::uint64_t model = 0;
  std::from_chars(ref.model.data() + 6, ref.model.data() + ref.model.size(), model);
  return (ref.version.major * 1000 + ref.version.minor) * kModels + model + 1;
}

void grow(SqliteLedger& ledger, std::uint64_t wanted) {
  for (std::uint64_t n = count(ledger); n < wanted; ++n) {
    const registry::Manifest manifest = manifest_of(n);
    add_version(ledger, n, wire::to_canonical_json(manifest), manifest.ref);
    add_scorecard(ledger, n, manifest.ref);
  }
}

struct Search {
  const char* name;
  bool indexed;
  std::function<std::string(Random&, std::uint64_t versions)> filter;
};

const std::vector<Search>& searches() {
  static const std::vector<Search> all = {
      {"everything, newest first", true, [](Random&, std::uint64_t) { return std::string(); }},
      {"accuracy > A and a slice's prefix and stage", true,
       [](Random& r, std::uint64_t) {
         return fmt::format(R"(accuracy > {:.3f} AND data.slice = "2025-{:02}/zip-{:03}*" AND stage != Archived)"
                            " ORDER BY created DESC",
                            0.9 + r.unit() / 10, 1 + r.below(12), r.below(200));
       }},
      {"model, by version", true,
       [](Random& r, std::uint64_t) {
         return fmt::format("model = model-{:03} ORDER BY version DESC", r.below(kModels));
       }},
      {"model and accuracy > A", true,
       [](Random& r, std::uint64_t) {
         return fmt::format("model = model-{:03} AND accuracy > {:.3f}", r.below(kModels), 0.8 + r.unit() / 5);
       }},
      {"one slice", true,
       [](Random& r, std::uint64_t) { return fmt::format("data.slice = \"{}\"", slice_name(r.below(kSlices))); }},
      {"one commit", true,
       [](Random& r, std::uint64_t versions) {
         return fmt::format("code.commit = \"{}\"",
                            sha256(fmt::format("commit {}", r.below(versions))).hex().substr(0, 40));
       }},
      {"best accuracy of all", true, [](Random&, std::uint64_t) { return std::string("ORDER BY accuracy DESC"); }},
      {"accuracy in a range, by accuracy", true,
       [](Random& r, std::uint64_t) {
         const double low = 0.8 + r.unit() / 5;
         return fmt::format("accuracy > {:.4f} AND accuracy < {:.4f} ORDER BY accuracy", low, low + 0.01);
       }},
      {"learning rate and optimizer", true,
       [](Random& r, std::uint64_t) {
         return fmt::format("config.lr < {:.4f} AND config.optimizer = sgd", 0.001 + r.unit() / 10);
       }},
      {"words of the changelog", true,
       [](Random& r, std::uint64_t) {
         return fmt::format("changelog CONTAINS \"{} {}\"", some_word(r), some_word(r));
       }},
      {"words of the changelog and accuracy", true,
       [](Random& r, std::uint64_t) { return fmt::format("changelog CONTAINS {} AND accuracy > 0.95", some_word(r)); }},
      {"torch >= V, not sgd", true,
       [](Random& r, std::uint64_t) {
         return fmt::format("environment.torch >= 2.{} AND NOT config.optimizer = sgd", r.below(10));
       }},
      {"a part of a slice's name (not indexed)", false,
       [](Random& r, std::uint64_t) { return fmt::format("data.slice = \"*p-{:05}\"", r.below(kSlices)); }},
      {"no accuracy measured (not indexed)", false,
       [](Random&, std::uint64_t) { return std::string("accuracy IS NULL"); }},
  };
  return all;
}

double percentile(std::vector<double>& values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
}

/// What calls took: by the clock on the wall, and of the CPU, which neighbours don't lengthen.
class Times {
 public:
  template <class Call>
  void add(Call call) {
    const double wall = micros_of(CLOCK_MONOTONIC);
    const double cpu = micros_of(CLOCK_THREAD_CPUTIME_ID);
    call();
    cpu_us_.push_back(micros_of(CLOCK_THREAD_CPUTIME_ID) - cpu);
    wall_us_.push_back(micros_of(CLOCK_MONOTONIC) - wall);
  }
  /// A line of JSON.
  void report(const std::string& name, bool indexed, double found) {
    fmt::print(R"({{"call":"{}","indexed":{},"samples":{},"found":{:.1f},"wall_us":{},"cpu_us":{}}})"
               "\n",
               name, indexed, wall_us_.size(), found, shares(wall_us_), shares(cpu_us_));
    std::fflush(stdout);
  }

 private:
  static double micros_of(clockid_t clock) {
    timespec at{};
    clock_gettime(clock, &at);
    return static_cast<double>(at.tv_sec) * 1e6 + static_cast<double>(at.tv_nsec) / 1e3;
  }
  static std::string shares(std::vector<double>& values) {
    return fmt::format(R"({{"p50":{:.1f},"p99":{:.1f},"max":{:.1f}}})", percentile(values, 0.5),
                       percentile(values, 0.99), percentile(values, 1));
  }
  std::vector<double> wall_us_;
  std::vector<double> cpu_us_;
};

void measure(SqliteLedger& ledger, std::uint64_t samples) {
  const std::uint64_t versions = count(ledger);
  ledger.tune_search({2000, seconds(120)});  // What is slow shall be measured, not given up.
  Random random(7);
  for (const Search& each : searches()) {
    Times taken;
    double found = 0;
    const std::uint64_t times = each.indexed ? samples : 5;
    for (std::uint64_t i = 0; i < times; ++i) {
      const std::string filter = each.filter(random, versions);
      taken.add([&] {
        const search::Query query = must(search::parse(filter));
        found += static_cast<double>(must(ledger.search(query, "", 50)).versions.size());
      });
    }
    taken.report(each.name, each.indexed, found / static_cast<double>(times));
  }
  Times pages;
  const search::Query all = must(search::parse(""));
  std::string cursor;
  for (std::uint64_t i = 0; i < samples; ++i) {
    pages.add([&] { cursor = must(ledger.search(all, cursor, 50)).next; });
    if (cursor.empty()) break;
  }
  pages.report("the next page", true, 50);
  Times gets;
  for (std::uint64_t i = 0; i < samples; ++i) {
    const registry::VersionRef ref = manifest_of(random.below(versions)).ref;
    gets.add([&] { must(ledger.version(ref)); });
  }
  gets.report("get one version", true, 1);
  Times registers;
  Times scorecards;
  for (std::uint64_t n = versions; n < versions + samples; ++n) {
    const registry::Manifest manifest = manifest_of(n);
    const std::string json = wire::to_canonical_json(manifest);
    registers.add([&] { add_version(ledger, n, json, manifest.ref); });
    scorecards.add([&] { add_scorecard(ledger, n, manifest.ref); });
  }
  registers.report("register a version", true, 1);
  scorecards.report("add a scorecard", true, 1);
}

void print_plans(const SqliteLedger& ledger) {
  const std::uint64_t versions = count(ledger);
  Random random(7);
  for (const Search& each : searches()) {
    const std::string filter = each.filter(random, versions);
    fmt::print("{}\n  {}\n{}", each.name, filter, must(ledger.explain_search(must(search::parse(filter)))));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view word = argc > 2 ? argv[1] : "";
  const std::string_view last = argc > 3 ? argv[3] : "0";
  std::uint64_t number = 0;
  std::from_chars(last.data(), last.data() + last.size(), number);
  if (argc < 3 || (word != "plans" && number == 0)) fail("usage: bench-registry grow|measure|plans FILE [NUMBER]");
  const auto ledger = must(SqliteLedger::open(argv[2]));
  if (word == "grow") grow(*ledger, number);
  if (word == "measure") measure(*ledger, number);
  if (word == "plans") print_plans(*ledger);
}
