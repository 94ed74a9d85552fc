#include "services/evaluate_version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "domain/evaluation/findings.hpp"
#include "domain/registry/measurement.hpp"
#include "services/add_scorecard.hpp"
#include "services/ask_model.hpp"
#include "services/compare_with_golden.hpp"
#include "services/measure_parts.hpp"
#include "services/score_texts.hpp"
#include "wire/suite_yaml.hpp"

namespace backstay::services {

namespace {

using evaluation::Change;
using evaluation::NamedTensor;
using evaluation::Predictions;
using evaluation::Set;
using evaluation::Suite;
using registry::ScorecardKind;

/// What a version answered about one set.
struct SetAnswers {
  NamedTensor output;  ///< As it came, for the rows as they are.
  Predictions predictions;
  std::vector<Predictions> robustness;  ///< By test; as `predictions` when nothing was changed.
  std::vector<Predictions> behaviour;
  std::optional<Timing> timing;
  std::vector<std::vector<double>> safety;  ///< By test: the classifier's score of each row's text.
};

/// Rows that are to be answered, for the progress.
class RowCount {
 public:
  RowCount(std::uint64_t total, const OnProgress& on_progress) : state_{"", 0, total}, on_progress_(on_progress) {}
  void begin(std::string name) {
    state_.name = std::move(name);
    add(0);
  }
  void add(std::uint64_t rows) {
    state_.done_bytes += rows;
    if (on_progress_) on_progress_(state_);
  }
  std::uint64_t total() const { return state_.total_bytes; }
  /// Instead of silence.
  void wait(seconds without, milliseconds most) {
    if (!on_progress_) return;
    Progress state = state_;
    state.name += fmt::format(": no answer for {}, given up after {}", to_string(without), to_string(most));
    on_progress_(state);
  }

 private:
  Progress state_;
  const OnProgress& on_progress_;
};

std::uint64_t questions_of(const Set& set) {
  const auto changes = std::count_if(set.robustness.begin(), set.robustness.end(),
                                     [](const auto& test) { return test.change.kind != Change::Kind::kNone; });
  return 1 + static_cast<std::uint64_t>(changes) + set.behaviour.size();
}

std::string text_of(const Change& change) {
  return fmt::format("{} {} {} {}", static_cast<int>(change.kind), fmt::join(change.columns, ","), change.amount,
                     change.text);
}

/// Everything that an answer depends on.
Digest key_of(const StoredVersion& version, const Suite& suite, const Question& question) {
  std::string text =
      fmt::format("evaluation/1\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n", version.identity.hex(), question.facts->sha256.hex(),
                  question.set->name, question.set->output.name, question.batch_rows, question.seed, question.name);
  text += text_of(question.change) + '\n';
  const evaluation::BackendChoice& backend = suite.backend;
  text += fmt::format("{} {} {} {}\n", static_cast<int>(backend.kind), backend.url_of(version.ref.version.str()),
                      fmt::join(backend.command, "\x1f"), backend.served_as);
  for (const evaluation::Input& input : question.set->inputs)
    text += fmt::format("{}: {} [{}] {}\n", input.name, fmt::join(input.columns, "\x1f"), fmt::join(input.shape, ","),
                        input.missing ? "'" + *input.missing + "'" : "none");
  return sha256(text);
}

/// Asks one version all that a suite asks of it.
class Examination {
 public:
  Examination(const EvaluationPorts& ports, const EvaluationRequest& request, const Suite& suite,
              const std::vector<SetFacts>& facts, RowCount& count)
      : ports_(ports), request_(request), suite_(suite), facts_(facts), count_(count) {}

  /// `all`: with changed rows and latency.
  Result<std::vector<SetAnswers>> run(const registry::VersionRef& ref, bool all) {
    TRY(version_, ports_.registry.versions.version(ref));
    TRY(const std::unique_ptr<ModelRunner> runner, ports_.run(ref, suite_.backend));
    std::vector<SetAnswers> answers;
    for (std::size_t i = 0; i < suite_.sets.size(); ++i) {
      auto one = examine(suite_.sets[i], facts_[i], *runner, all);
      if (!one && refused_) forget_refused();
      if (!one) return Unexpected(std::move(one).error());
      answers.push_back(std::move(*one));
    }
    restarts_ += runner->restarts();
    return answers;
  }

  std::uint64_t resumed_rows() const { return resumed_; }
  std::uint64_t restarts() const { return restarts_; }
  const std::vector<Digest>& keys() const { return keys_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  /// Answers that were refused are not taken again when the evaluation is repeated: somebody will have mended what gave
  /// them. A version's own files always give the same answers, but behind a url or a command other things may stand,
  /// and then the earlier ones are as doubtful.
  void forget_refused() {
    const bool fixed = suite_.backend.kind == evaluation::BackendChoice::Kind::kModel;
    for (const Digest& key : keys_)
      if (!fixed || key == keys_.back()) ports_.journals.remove(key);
  }

  /// Notes when what the model answered is the reason for a failure.
  template <class T>
  Result<T> noted(Result<T> result) {
    if (!result && result.error().code == ErrorCode::kInvalidArgument) refused_ = true;
    return result;
  }

  Result<NamedTensor> ask(const Question& question, ModelRunner& runner) {
    const Digest key = key_of(*version_, suite_, question);
    TRY(const std::unique_ptr<EvaluationJournal> journal, ports_.journals.open(key));
    keys_.push_back(key);
    resumed_ += std::min(journal->recorded().size() * question.batch_rows, question.facts->rows);
    count_.begin(fmt::format("{} {} {}", version_->ref.str(), question.set->name, question.name));
    const Asking asking{runner,
                        *journal,
                        request_.folder,
                        suite_.parallel,
                        [this](std::uint64_t rows) { count_.add(rows); },
                        [this](seconds without) { count_.wait(without, suite_.backend.answer_timeout); }};
    return noted(ask_model(question, question.set->output.name, asking));
  }

  Result<Predictions> predict(const Question& question, ModelRunner& runner) {
    TRY(const NamedTensor output, ask(question, runner));
    return noted(evaluation::interpret(*question.set, question.facts->truth, output));
  }

  Result<SetAnswers> examine(const Set& set, const SetFacts& facts, ModelRunner& runner, bool all) {
    TRY(const std::vector<TensorPlan> plan, plan_tensors(set, facts, runner.signature()));
    Question question{&set, &facts, &plan, "", {}, suite_.seed, suite_.batch};
    SetAnswers answers;
    TRY(answers.output, ask(question, runner));
    if (set.output.kind == evaluation::Output::Kind::kText) {
      refused_ = answers.output.texts.size() != facts.rows;
      if (refused_)
        return Unexpected(
            ErrorCode::kInvalidArgument,
            fmt::format("The output '{}' is not one text per row of the set '{}'.", answers.output.spec.name, set.name),
            "It must have the datatype BYTES.");
      answers.predictions = facts.truth;
    } else {
      TRY(answers.predictions, noted(evaluation::interpret(set, facts.truth, answers.output)));
    }
    if (!all) return answers;
    for (const auto& test : set.robustness) {
      question.name = test.name;
      question.change = test.change;
      if (test.change.kind == Change::Kind::kNone) {
        answers.robustness.push_back(answers.predictions);
        continue;
      }
      TRY(Predictions changed, predict(question, runner));
      answers.robustness.push_back(std::move(changed));
    }
    for (const auto& test : set.behaviour) {
      question.name = test.name;
      question.change = test.change;
      TRY(Predictions changed, predict(question, runner));
      answers.behaviour.push_back(std::move(changed));
    }
    TRY(answers.safety, judge_texts(set, answers.output.texts));
    if (set.latency.requests > 0) {
      TRY(answers.timing, time(set, facts, plan, runner));
    }
    return answers;
  }

  Result<std::vector<std::vector<double>>> judge_texts(const Set& set, const std::vector<std::string>& texts) {
    std::vector<std::vector<double>> all;
    for (const evaluation::Safety& test : set.safety) {
      count_.begin(fmt::format("{} {} {}", version_->ref.str(), set.name, test.name));
      TRY(const registry::VersionRef ref, registry::VersionRef::parse(test.classifier));
      TRY(const StoredVersion judge, ports_.registry.versions.version(ref));
      if (ports_.check_classifier) TRY_DO(ports_.check_classifier(ref));
      if (judge.stage == "Archived")
        warnings_.push_back(fmt::format("The classifier {} of '{}' is archived.", ref.str(), test.name));
      TRY(const std::unique_ptr<ModelRunner> classifier, ports_.run(ref, test.backend));
      TRY(std::vector<double> scores,
          score_texts(*classifier, {test.classifier, test.input, test.output, test.index}, texts, suite_.batch));
      restarts_ += classifier->restarts();
      all.push_back(std::move(scores));
    }
    return all;
  }

  Result<Timing> time(const Set& set, const SetFacts& facts, const std::vector<TensorPlan>& plan, ModelRunner& runner) {
    count_.begin(fmt::format("{} {} latency", version_->ref.str(), set.name));
    const Question question{&set, &facts, &plan, "latency", {}, suite_.seed, suite_.batch};
    return time_model(question, set.latency, runner, request_.folder);
  }

  const EvaluationPorts& ports_;
  const EvaluationRequest& request_;
  const Suite& suite_;
  const std::vector<SetFacts>& facts_;
  RowCount& count_;
  std::optional<StoredVersion> version_;
  std::uint64_t resumed_ = 0;
  std::uint64_t restarts_ = 0;
  std::vector<Digest> keys_;
  std::vector<std::string> warnings_;
  bool refused_ = false;
};

/// Why a set lacks figures that others have; empty: it lacks none.
std::string left_out(const Suite& suite, const Set& set, const Predictions& predictions) {
  if (set.output.kind == evaluation::Output::Kind::kText) return "";
  const std::vector<std::string> names =
      evaluation::undefined_measures(predictions, evaluation::measure_options(suite, set));
  const std::vector<std::uint32_t>& truth = predictions.truth;
  const bool one_class = set.task == evaluation::Task::kClassification && !truth.empty() &&
                         std::equal(truth.begin() + 1, truth.end(), truth.begin());
  if (one_class)
    return fmt::format("All {} rows of the set '{}' are of the class '{}'; not defined, and left out: {}.",
                       truth.size(), set.name, predictions.classes[truth[0]], fmt::join(names, ", "));
  if (names.empty()) return "";
  return fmt::format("Not defined for what was answered on the set '{}', and left out: {}.", set.name,
                     fmt::join(names, ", "));
}

/// Two versions that stand behind one command or url, by mistake, would pass every rule about a change.
bool same_answers(const std::vector<SetAnswers>& a, const std::vector<SetAnswers>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const SetAnswers& one, const SetAnswers& other) {
    return one.output.numbers == other.output.numbers && one.output.texts == other.output.texts;
  });
}

/// The scorecards of one set.
Result<std::vector<registry::Scorecard>> scorecards_of(const Suite& suite, const Set& set, const SetFacts& facts,
                                                       const SetAnswers& answers, const SetAnswers* baseline,
                                                       const EvaluationRequest& request) {
  const std::string baseline_name = request.baseline ? request.baseline->str() : "";
  const evaluation::MeasureOptions options = evaluation::measure_options(suite, set);
  std::vector<registry::Scorecard> cards;
  const auto add = [&](ScorecardKind kind, std::vector<registry::Metric> metrics) {
    if (metrics.empty()) return;
    cards.push_back({kind, set.name, "", std::move(metrics), suite.confidence});
  };
  const auto measured = [&](const std::vector<evaluation::MeasuredPart>& parts) {
    // Unlike asking a model, which waits, measuring computes.
    const std::uint64_t threads =
        std::min<std::uint64_t>(suite.parallel, std::max(1U, std::thread::hardware_concurrency()));
    return measure_parts(parts, threads, set.name, request.progress);
  };
  const bool text = set.output.kind == evaluation::Output::Kind::kText;
  std::vector<registry::Metric> quality;
  if (!text)
    quality =
        measured(evaluation::quality_parts(answers.predictions, baseline != nullptr ? &baseline->predictions : nullptr,
                                           baseline_name, options, suite.min_group));
  std::vector<registry::Metric> safety;
  for (std::size_t i = 0; i < set.safety.size(); ++i)
    for (registry::Metric& metric : evaluation::safety_metrics(
             set.safety[i], answers.safety[i], answers.predictions.attributes, suite.min_group, suite.confidence))
      safety.push_back(std::move(metric));
  add(ScorecardKind::kSafety, std::move(safety));
  for (std::size_t i = 0; i < set.robustness.size(); ++i) {
    std::vector<std::uint32_t> rows = facts.chosen[i];
    if (rows.empty())
      return Unexpected(
          ErrorCode::kInvalidArgument,
          fmt::format("No row of the set '{}' is one of the robustness test '{}'.", set.name, set.robustness[i].name),
          "Check its where: values are compared as they are written.");
    for (registry::Metric& metric :
         evaluation::robustness_metrics(set.robustness[i], answers.predictions, answers.robustness[i], rows, options))
      quality.push_back(std::move(metric));
  }
  for (std::size_t i = 0; i < set.behaviour.size(); ++i) {
    TRY(registry::Metric metric,
        evaluation::behaviour_metric(set.behaviour[i], answers.predictions, answers.behaviour[i], suite.confidence));
    quality.push_back(std::move(metric));
  }
  if (!set.golden.empty()) {
    TRY(registry::Metric metric, compare_with_golden(set, request.folder, answers.output, facts.rows));
    quality.push_back(std::move(metric));
  }
  if (answers.timing)
    add(ScorecardKind::kLatency,
        evaluation::latency_metrics(answers.timing->seconds, answers.timing->rows_per_second, suite.confidence));
  if (!text)
    add(ScorecardKind::kBias,
        measured(evaluation::bias_parts(answers.predictions, {suite.confidence, suite.min_group, suite.small_groups})));
  add(ScorecardKind::kQuality, std::move(quality));
  return cards;
}

}  // namespace

Result<Evaluation> evaluate_version(const EvaluationPorts& ports, const EvaluationRequest& asked, const Actor& actor) {
  EvaluationRequest request = asked;
  Evaluation done;
  done.suite_sha256 = sha256(request.suite_text);
  TRY(const wire::Document document, wire::Document::from_yaml(request.suite_name, request.suite_text));
  TRY(done.suite, wire::suite_from(document));
  const Suite& suite = done.suite;
  TRY_DO(ports.registry.versions.version(request.version));
  if (request.baseline) {
    auto apart =
        evaluation::check_urls_of_pair(suite.backend, request.version.version.str(), request.baseline->version.str());
    if (!apart && !request.baseline_by_default) return Unexpected(std::move(apart).error());
    if (!apart) {
      request.baseline.reset();
      done.warnings.push_back(
          fmt::format("It is compared with no other version: {} {}", apart.error().message, apart.error().hint));
    }
  }
  std::vector<SetFacts> facts;
  for (const Set& set : suite.sets) {
    TRY(SetFacts one, read_facts(set, request.folder));
    done.rows += one.rows * (questions_of(set) + (request.baseline ? 1 : 0));
    facts.push_back(std::move(one));
  }
  RowCount count(done.rows, request.progress);
  Examination candidate(ports, request, suite, facts, count);
  TRY(std::vector<SetAnswers> answers, candidate.run(request.version, true));
  std::vector<SetAnswers> before;
  Examination production(ports, request, suite, facts, count);
  if (request.baseline) {
    TRY(before, production.run(*request.baseline, false));
  }
  if (request.baseline && suite.backend.kind != evaluation::BackendChoice::Kind::kModel &&
      same_answers(answers, before))
    done.warnings.push_back(
        fmt::format("{} and {} gave the same answers to all rows, bit for bit: look whether the suite's backend runs "
                    "each of them ({{artifacts}} and {{version}} in its command or url).",
                    request.version.str(), request.baseline->str()));
  done.resumed_rows = candidate.resumed_rows() + production.resumed_rows();
  done.restarts = candidate.restarts() + production.restarts();
  if (done.restarts > 0)
    done.warnings.push_back(
        fmt::format("Backends went away and were started again {} {}: look at their output, evaluations/logs of the "
                    "data directory.",
                    done.restarts, done.restarts == 1 ? "time" : "times"));
  done.warnings.insert(done.warnings.end(), candidate.warnings().begin(), candidate.warnings().end());
  for (std::size_t i = 0; i < suite.sets.size(); ++i)
    if (std::string warning = left_out(suite, suite.sets[i], answers[i].predictions); !warning.empty())
      done.warnings.push_back(std::move(warning));
  for (std::size_t i = 0; i < suite.sets.size(); ++i) {
    if (suite.sets[i].output.kind == evaluation::Output::Kind::kText) continue;
    for (const evaluation::Attribute& attribute : answers[i].predictions.attributes)
      for (const std::string& gap : evaluation::fairness_gaps(answers[i].predictions, attribute,
                                                              {suite.confidence, suite.min_group, suite.small_groups}))
        done.warnings.push_back(fmt::format("Set '{}': {}", suite.sets[i].name, gap));
  }

  std::vector<registry::Scorecard> cards;
  for (std::size_t i = suite.sets.size(); i-- > 0;) {
    TRY(std::vector<registry::Scorecard> of_set,
        scorecards_of(suite, suite.sets[i], facts[i], answers[i], request.baseline ? &before[i] : nullptr, request));
    for (registry::Scorecard& card : of_set) {
      card.source = registry::Source::kEvaluated;
      card.evaluator =
          registry::evaluator_of({request.program_version, suite.name, done.suite_sha256.hex(), facts[i].sha256.hex()});
      cards.push_back(std::move(card));
    }
  }
  // All are looked at before any is written: half an evaluation is none.
  for (const registry::Scorecard& card : cards) TRY_DO(registry::validate(card));
  for (const registry::Scorecard& card : cards) {
    TRY(registry::StoredScorecard stored, add_scorecard(ports.registry.versions, request.version, card, actor));
    done.scorecards.push_back(std::move(stored));
  }
  for (std::size_t i = 0; i < suite.sets.size(); ++i)
    done.answers.emplace_back(suite.sets[i].name, std::move(answers[i].output));
  for (const Digest& key : candidate.keys()) ports.journals.remove(key);
  for (const Digest& key : production.keys()) ports.journals.remove(key);
  return done;
}

}  // namespace backstay::services
