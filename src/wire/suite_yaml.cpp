#include "wire/suite_yaml.hpp"

#include <cmath>
#include <initializer_list>
#include <utility>

namespace backstay::wire {

namespace {

using namespace evaluation;

template <class Choice>
void read_choice(Fields& fields, const char* key, Choice& out,
                 std::initializer_list<std::pair<const char*, Choice>> choices) {
  std::string text;
  fields.optional(key, text);
  if (text.empty()) return;
  std::string known;
  for (const auto& [name, choice] : choices) {
    known += (known.empty() ? "" : ", ") + std::string(name);
    if (text != name) continue;
    out = choice;
    return;
  }
  fields.fail(key, "is '" + text + "'", "Use one of: " + known + ".");
}

}  // namespace

void read_backend_choice(Fields& fields, BackendChoice& out) {
  using Kind = BackendChoice::Kind;
  fields.object("backend", [&](Fields& backend) {
    read_choice(backend, "kind", out.kind, {{"model", Kind::kModel}, {"process", Kind::kProcess}, {"url", Kind::kUrl}});
    backend.optional("url", out.url);
    backend.flattened("urls", out.urls);
    backend.optional("command", out.command);
    backend.optional("health_path", out.health_path);
    backend.optional("start_timeout", out.start_timeout);
    backend.optional("answer_timeout", out.answer_timeout);
    if (out.answer_timeout < milliseconds(1))
      backend.fail("answer_timeout", "is not above 0", "Say how long one request may take: answer_timeout: 120s");
    backend.optional("threads", out.threads);
    backend.optional("served_as", out.served_as);
    if (out.kind == Kind::kUrl && out.url.empty() && out.urls.empty())
      backend.fail("url", "is missing", "Say where the server is: url: http://127.0.0.1:9000");
    if (out.kind == Kind::kProcess && out.command.empty())
      backend.fail("command", "is missing", "Give it as a list: command: [python3, serve.py, --port, \"{port}\"]");
  });
}

namespace {

void read_input(Fields& fields, Input& input) {
  fields.optional("name", input.name);
  fields.optional("columns", input.columns);
  fields.optional("shape", input.shape);
  fields.optional("missing", input.missing);
}

void read_output(Fields& fields, Set& set) {
  using Kind = Output::Kind;
  set.output.kind = set.task == Task::kClassification ? Kind::kScore : Kind::kValue;
  fields.object("output", [&](Fields& output) {
    output.optional("name", set.output.name);
    read_choice(output, "kind", set.output.kind,
                {{"score", Kind::kScore},
                 {"probabilities", Kind::kProbabilities},
                 {"label", Kind::kLabel},
                 {"value", Kind::kValue},
                 {"text", Kind::kText}});
    output.optional("threshold", set.output.threshold);
  });
}

/// Exactly one of missing, noise, set, scale and add; none at all when `may_lack`.
void read_change(Fields& fields, Change& change, bool may_lack) {
  using Kind = Change::Kind;
  fields.optional("columns", change.columns);
  int given = 0;
  const auto amount = [&](const char* key, Kind kind) {
    if (fields.has(key)) {
      change.kind = kind;
      ++given;
    }
    fields.optional(key, change.amount);
  };
  amount("missing", Kind::kMissing);
  amount("noise", Kind::kNoise);
  amount("scale", Kind::kScale);
  amount("add", Kind::kAdd);
  if (fields.has("set")) {
    change.kind = Kind::kSet;
    ++given;
  }
  fields.optional("set", change.text);
  if (fields.has("as") && change.kind != Kind::kMissing)
    fields.fail("as", "is given without missing", "It is what stands for a cell that is left out.");
  std::string as;
  fields.optional("as", as);
  if (change.kind == Kind::kMissing) change.text = as;
  if (given > 1 || (given == 0 && !may_lack))
    fields.fail("name", "needs exactly one of missing, noise, set, scale and add beside it",
                "Write it like {name: noisy, noise: 0.1}; several changes are several tests.");
}

void read_tests(Fields& fields, Set& set) {
  fields.each("robustness", [&](Fields& item) {
    Robustness& test = set.robustness.emplace_back();
    item.required("name", test.name);
    item.flattened("where", test.where);
    read_change(item, test.change, !test.where.empty());
  });
  fields.each("behaviour", [&](Fields& item) {
    using Kind = Behaviour::Kind;
    Behaviour& test = set.behaviour.emplace_back();
    item.required("name", test.name);
    read_choice(item, "expect", test.kind,
                {{"same", Kind::kSame}, {"not_less", Kind::kNotLess}, {"not_more", Kind::kNotMore}});
    item.optional("tolerance", test.tolerance);
    read_change(item, test.change, false);
  });
  fields.each("safety", [&](Fields& item) {
    Safety& test = set.safety.emplace_back();
    item.required("name", test.name);
    item.required("classifier", test.classifier);
    item.optional("input", test.input);
    item.optional("output", test.output);
    item.optional("index", test.index);
    item.optional("threshold", test.threshold);
    read_backend_choice(item, test.backend);
  });
}

void read_set(Fields& fields, Set& set) {
  fields.required("name", set.name);
  read_choice(
      fields, "task", set.task,
      {{"classification", Task::kClassification}, {"regression", Task::kRegression}, {"ranking", Task::kRanking}});
  fields.optional_texts("files", set.files);
  fields.optional("sha256", set.sha256);
  fields.each("inputs", [&](Fields& item) { read_input(item, set.inputs.emplace_back()); });
  read_output(fields, set);
  fields.optional("label", set.label);
  fields.optional("query", set.query);
  fields.optional("classes", set.classes);
  fields.optional("positive", set.positive);
  fields.optional("groups", set.groups);
  fields.optional("intersections", set.intersections);
  fields.optional("bins", set.bins);
  fields.optional("clip", set.clip);
  // Of another task they would be read and not used.
  if (set.task != Task::kRanking && fields.has("cutoffs"))
    fields.fail("cutoffs", "is given for a task that ranks nothing", "Leave it out, or use task: ranking.");
  if (set.task != Task::kClassification)
    for (const char* key : {"classes", "positive", "bins", "clip"})
      if (fields.has(key)) fields.fail(key, "is given for a task without classes", "Leave it out.");
  if (fields.has("cutoffs")) set.cutoffs.clear();
  fields.optional("cutoffs", set.cutoffs);
  fields.object("latency", [&](Fields& latency) {
    set.latency.requests = 500;
    latency.optional("requests", set.latency.requests);
    if (set.latency.requests == 0) latency.fail("requests", "is 0", "Leave latency out of the set to measure none.");
    latency.optional("warmup", set.latency.warmup);
    latency.optional("batch", set.latency.batch);
    latency.optional("parallel", set.latency.parallel);
  });
  read_tests(fields, set);
  fields.optional("golden", set.golden);
}

}  // namespace

Result<Suite> suite_from(const Document& document) {
  Suite suite;
  Fields fields(document);
  fields.required("name", suite.name);
  fields.optional("confidence", suite.confidence);
  fields.optional("seed", suite.seed);
  fields.optional("batch", suite.batch);
  fields.optional("parallel", suite.parallel);
  fields.optional("min_group", suite.min_group);
  read_choice(fields, "small_groups", suite.small_groups,
              {{"insufficient", SmallGroups::kInsufficient}, {"leave_out", SmallGroups::kLeaveOut}});
  read_backend_choice(fields, suite.backend);
  fields.each("sets", [&](Fields& item) { read_set(item, suite.sets.emplace_back()); });
  TRY_DO(fields.finish());
  TRY_DO(validate(suite));
  return suite;
}

}  // namespace backstay::wire
