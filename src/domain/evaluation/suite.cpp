#include "domain/evaluation/suite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/digest.hpp"
#include "domain/evaluation/interpret.hpp"
#include "domain/registry/manifest.hpp"

namespace backstay::evaluation {

namespace {

constexpr std::uint64_t kMaxBatch = 65'536;
constexpr std::uint64_t kMaxParallel = 64;

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

Result<void> check_change(const Set& set, const std::string& name, const Change& change) {
  std::set<std::string> columns;
  for (const Input& input : set.inputs) columns.insert(input.columns.begin(), input.columns.end());
  for (const std::string& column : change.columns)
    if (!columns.contains(column))
      return invalid(
          fmt::format("'{}' of the set '{}' changes the column '{}', which is no input.", name, set.name, column),
          fmt::format("The inputs are: {}.", fmt::join(columns, ", ")));
  if (!std::isfinite(change.amount))
    return invalid(fmt::format("'{}' of the set '{}' has an amount that is not a number.", name, set.name), "");
  if (change.kind == Change::Kind::kMissing && !(change.amount > 0 && change.amount <= 1))
    return invalid(fmt::format("'{}' of the set '{}' leaves out {:g} of the cells.", name, set.name, change.amount),
                   "Write a share in (0, 1]: missing: 0.1");
  if (change.kind == Change::Kind::kNoise && !(change.amount > 0))
    return invalid(fmt::format("'{}' of the set '{}' has the noise {:g}.", name, set.name, change.amount),
                   "Write a positive share of each column's standard deviation: noise: 0.1");
  return {};
}

/// `kSame` with a tolerance compares scores; a label has none.
Result<void> check_tolerance(const Set& set, const Behaviour& test) {
  if (!test.tolerance) return {};
  if (!(*test.tolerance >= 0 && std::isfinite(*test.tolerance)))
    return invalid(fmt::format("The tolerance of '{}' in the set '{}' is {:g}.", test.name, set.name, *test.tolerance),
                   "It is 0 or more; leave it out for none.");
  if (set.output.kind == Output::Kind::kLabel)
    return invalid(fmt::format("'{}' of the set '{}' has a tolerance, and its output is a label.", test.name, set.name),
                   "Leave it out, or use an output of kind score or probabilities.");
  return {};
}

Result<void> check_names(const Set& set) {
  std::set<std::string> names;
  const auto once = [&](const std::string& name) -> Result<void> {
    TRY_DO(registry::check_name("test", name));
    if (names.insert(name).second) return {};
    return invalid(fmt::format("The set '{}' has two tests called '{}'.", set.name, name), "Give each its own name.");
  };
  for (const Robustness& test : set.robustness) {
    TRY_DO(once(test.name));
    TRY_DO(check_change(set, test.name, test.change));
    if (test.change.kind == Change::Kind::kNone && test.where.empty())
      return invalid(fmt::format("The robustness test '{}' of the set '{}' changes nothing.", test.name, set.name),
                     "Give it one of missing, noise, set, scale and add, or where.");
  }
  for (const Behaviour& test : set.behaviour) {
    TRY_DO(once(test.name));
    TRY_DO(check_change(set, test.name, test.change));
    TRY_DO(check_tolerance(set, test));
    if (test.change.kind == Change::Kind::kNone)
      return invalid(fmt::format("The behaviour test '{}' of the set '{}' changes nothing.", test.name, set.name),
                     "Give it one of missing, noise, set, scale and add.");
  }
  for (const Safety& test : set.safety) {
    TRY_DO(once(test.name));
    if (auto pinned = registry::VersionRef::parse(test.classifier); !pinned)
      return Unexpected(std::move(pinned).error().within(fmt::format("The classifier of '{}'", test.name)));
  }
  return {};
}

Result<void> check_classification(const Set& set) {
  std::set<std::string> distinct;
  for (const std::string& name : set.classes) distinct.insert(class_text(name));
  if (distinct.size() != set.classes.size())
    return invalid(fmt::format("The set '{}' names a class twice.", set.name),
                   "Name each once; 1 and 1.0 are the same class.");
  if (set.classes.size() < 2)
    return invalid(fmt::format("The set '{}' names {} classes.", set.name, set.classes.size()),
                   "Name all of them as the label column writes them, the positive one last: classes: [\"0\", \"1\"]");
  if (set.output.kind == Output::Kind::kScore && set.classes.size() != 2)
    return invalid(fmt::format("The set '{}' has one score for {} classes.", set.name, set.classes.size()),
                   "Use kind: probabilities, or label.");
  if (!set.positive.empty() && (set.classes.size() != 2 || !distinct.contains(class_text(set.positive))))
    return invalid(fmt::format("'{}' is not one of the two classes of the set '{}'.", set.positive, set.name),
                   "positive is one of two classes, written as in classes.");
  if (set.output.kind != Output::Kind::kScore && set.output.kind != Output::Kind::kProbabilities &&
      set.output.kind != Output::Kind::kLabel)
    return invalid(fmt::format("The output of the set '{}' does not tell a class.", set.name),
                   "Use kind: score, probabilities or label.");
  const double threshold = set.output.threshold.value_or(0.5);
  if (!(threshold >= 0 && threshold <= 1))
    return invalid(fmt::format("The threshold of the set '{}' is {:g}.", set.name, threshold),
                   "Scores are in [0, 1], and so is their threshold.");
  return {};
}

/// A threshold tells a class from one probability; elsewhere it would be read and not used.
Result<void> check_threshold(const Set& set) {
  const Output& output = set.output;
  if (!output.threshold || output.kind == Output::Kind::kScore ||
      (output.kind == Output::Kind::kProbabilities && set.classes.size() == 2))
    return {};
  return invalid(fmt::format("The output of the set '{}' has a threshold, and no score that it could be of.", set.name),
                 "Leave it out, or use kind: score, or probabilities of two classes.");
}

Result<void> check_groups(const Set& set) {
  std::set<std::string> seen;
  for (const std::string& name : set.groups) {
    if (!set.label.empty() && name == set.label)
      return invalid(fmt::format("The set '{}' has its label '{}' among its groups.", set.name, name),
                     "Groups are known before the truth is: name the columns of attributes, like site or sex.");
    if (!seen.insert(name).second)
      return invalid(fmt::format("The set '{}' names the group '{}' twice.", set.name, name), "Name each column once.");
  }
  return {};
}

Result<void> check_query(const Set& set) {
  if ((set.task == Task::kRanking) != set.query.empty()) return {};
  return invalid(fmt::format("The set '{}' {}.", set.name,
                             set.query.empty() ? "has no query column" : "has a query column, but ranks nothing"),
                 "A set with task: ranking names the column that tells queries apart.");
}

Result<void> check_set(const Set& set) {
  TRY_DO(registry::check_name("set", set.name));
  if (set.files.empty()) return invalid(fmt::format("The set '{}' has no files.", set.name), "files: [held_out.csv]");
  if (!set.sha256.empty()) TRY_DO(Digest::from_hex(set.sha256));
  if (set.inputs.empty())
    return invalid(fmt::format("The set '{}' has no inputs.", set.name), "inputs: [{name: x, columns: [age, dose]}]");
  for (const Input& input : set.inputs) {
    if (input.columns.empty())
      return invalid(fmt::format("The input '{}' of the set '{}' has no columns.", input.name, set.name),
                     "Name the columns whose cells make a row of it: columns: [age, dose]");
    for (const std::int64_t size : input.shape)
      if (size <= 0)
        return invalid(fmt::format("The shape of input '{}' has {}.", input.name, size), "Sizes are above 0.");
  }
  if (set.label.empty() && set.output.kind != Output::Kind::kText)
    return invalid(fmt::format("The set '{}' has no label.", set.name),
                   "Name the column of the truth: label: malignant");
  TRY_DO(check_query(set));
  TRY_DO(check_groups(set));
  if (set.output.kind == Output::Kind::kText) {
    if (set.safety.empty() && set.golden.empty() && set.latency.requests == 0)
      return invalid(fmt::format("Nothing is measured of what the model writes in the set '{}'.", set.name),
                     "Add safety, golden or latency.");
    if (!set.robustness.empty() || !set.behaviour.empty() || set.task != Task::kClassification)
      return invalid(fmt::format("The set '{}' has a task or tests that a text has no truth for.", set.name),
                     "Leave task, robustness and behaviour out.");
  } else if (!set.safety.empty()) {
    return invalid(fmt::format("The set '{}' has safety classifiers for an output that is no text.", set.name),
                   "Use kind: text for the output.");
  } else if (set.task == Task::kClassification) {
    TRY_DO(check_classification(set));
  } else if (set.output.kind != Output::Kind::kValue) {
    return invalid(fmt::format("The output of the set '{}' is no value.", set.name), "Use kind: value.");
  }
  TRY_DO(check_threshold(set));
  if (set.bins == 0 || set.bins > 1000) return invalid("bins is outside of 1 to 1000.", "10 is usual.");
  for (const std::int64_t cutoff : set.cutoffs)
    if (cutoff < 1)
      return invalid(fmt::format("The cutoff {} is below 1.", cutoff), "ndcg_at_10 is measured with cutoffs: [10].");
  const Latency& latency = set.latency;
  if (latency.batch == 0 || latency.batch > kMaxBatch || latency.parallel == 0 || latency.parallel > kMaxParallel)
    return invalid(fmt::format("batch or parallel of the set '{}' latency is out of range.", set.name),
                   fmt::format("batch is 1 to {}, parallel 1 to {}.", kMaxBatch, kMaxParallel));
  if (!(set.clip > 0 && set.clip < 0.5))
    return invalid(
        fmt::format("The clip of the set '{}' is {:g}.", set.name, set.clip),
        "It is the probability that log_loss takes instead of 0: 0.001, or leave it out for scikit-learn's.");
  return check_names(set);
}

}  // namespace

const std::string& BackendChoice::url_of(const std::string& version) const {
  const auto own = urls.find(version);
  return own == urls.end() ? url : own->second;
}

Result<void> check_urls_of_pair(const BackendChoice& backend, const std::string& version, const std::string& other) {
  if (backend.kind != BackendChoice::Kind::kUrl) return {};
  for (const std::string& each : {version, other})
    if (backend.url_of(each).empty())
      return invalid(fmt::format("The suite's backend has no url for version {}.", each), "Add it to backend.urls.");
  const std::string& url = backend.url_of(version);
  // What has the version's name in it is another address for another version.
  if (url != backend.url_of(other) || url.find("{version}") != std::string::npos) return {};
  return invalid(
      fmt::format("The suite's backend has the same url for {} and {}: {}. One would be compared with itself.", version,
                  other, url),
      fmt::format(
          "Give each its own: backend: {{kind: url, urls: {{{}: \"http://...\", {}: \"http://...\"}}}}, or write "
          "{{version}} into the url; or compare with nothing: --against none.",
          version, other));
}

Result<void> validate(const Suite& suite) {
  TRY_DO(registry::check_name("suite", suite.name));
  if (!(suite.confidence >= 0.5 && suite.confidence < 1))
    return invalid("The confidence is outside of [0.5, 1).", "0.95 is usual.");
  if (suite.batch == 0 || suite.batch > kMaxBatch)
    return invalid(fmt::format("batch is {}.", suite.batch), fmt::format("Use 1 to {} rows per request.", kMaxBatch));
  if (suite.parallel == 0 || suite.parallel > kMaxParallel)
    return invalid(fmt::format("parallel is {}.", suite.parallel), fmt::format("Use 1 to {}.", kMaxParallel));
  if (suite.min_group == 0) return invalid("min_group is 0.", "Groups without rows tell nothing: 30 is usual.");
  if (suite.sets.empty()) return invalid("The suite has no sets.", "Add sets: [{name: held-out, ...}]");
  std::set<std::string> names;
  for (const Set& set : suite.sets) {
    TRY_DO(check_set(set));
    if (!names.insert(set.name).second)
      return invalid(fmt::format("There are two sets '{}'.", set.name),
                     "A scorecard's data set is its set's name: give each its own.");
  }
  return {};
}

}  // namespace backstay::evaluation
