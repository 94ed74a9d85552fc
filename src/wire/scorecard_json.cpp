#include "wire/scorecard_json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

namespace backstay::wire {

using nlohmann::json;

namespace {

void read_metric(Fields& fields, registry::Metric& metric) {
  fields.required("name", metric.name);
  fields.optional("group", metric.group);
  fields.required("value", metric.value);
  fields.optional("samples", metric.samples);
  double limit = std::nan("");
  fields.optional("lower", limit);
  if (!std::isnan(limit)) metric.lower = limit;
  limit = std::nan("");
  fields.optional("upper", limit);
  if (!std::isnan(limit)) metric.upper = limit;
  fields.optional("baseline", metric.baseline);
}

void read_rule(Fields& fields, gates::Rule& rule) {
  fields.required("metric", rule.metric);
  fields.optional("group", rule.group);
  fields.optional("dataset", rule.dataset);
  int bounds = 0;
  const auto bound = [&](const char* key, gates::Rule::Kind kind) {
    const bool given = fields.has(key);
    fields.optional(key, rule.bound);
    if (!given) return;
    rule.kind = kind;
    ++bounds;
  };
  bound("at_least", gates::Rule::Kind::kAtLeast);
  bound("at_most", gates::Rule::Kind::kAtMost);
  bound("max_gap", gates::Rule::Kind::kMaxGap);
  bound("min_samples", gates::Rule::Kind::kMinSamples);
  bound("max_drop", gates::Rule::Kind::kMaxDrop);
  bound("max_rise", gates::Rule::Kind::kMaxRise);
  if (bounds != 1)
    fields.fail("metric",
                "needs exactly one of at_least, at_most, max_gap, min_samples, max_drop and max_rise beside it",
                "Write it like {metric: accuracy, at_least: 0.9}; several bounds are several rules.");
}

struct NamedSource {
  registry::Source source;
  const char* name;
};
constexpr NamedSource kSources[] = {{registry::Source::kByHand, "by_hand"},
                                    {registry::Source::kEvaluated, "evaluated"},
                                    {registry::Source::kSigned, "signed"}};

const NamedSource* source_named(const std::string& name) {
  for (const NamedSource& each : kSources)
    if (name == each.name) return &each;
  return nullptr;
}

Result<registry::Scorecard> read_scorecard(const Document& document, bool stored) {
  registry::Scorecard card;
  Fields fields(document);
  std::string kind = "quality";
  fields.optional("kind", kind);
  bool known = false;
  for (auto each : {registry::ScorecardKind::kQuality, registry::ScorecardKind::kBias,
                    registry::ScorecardKind::kLatency, registry::ScorecardKind::kSafety}) {
    if (kind != registry::to_string(each)) continue;
    card.kind = each;
    known = true;
  }
  if (!known) fields.fail("kind", "is '" + kind + "'", "Use quality, bias, latency or safety.");
  fields.optional("dataset", card.dataset);
  fields.optional("evaluator", card.evaluator);
  fields.optional("confidence", card.confidence);
  if (card.confidence && !(*card.confidence > 0 && *card.confidence < 1))
    fields.fail("confidence", "is outside of (0, 1)", "0.95 is usual.");
  if (stored) {
    std::string source;
    fields.optional("source", source);
    const NamedSource* named = source_named(source);
    card.source = named == nullptr ? registry::Source::kUnrecorded : named->source;
  }
  fields.each("metrics", [&](Fields& metric) { read_metric(metric, card.metrics.emplace_back()); });
  if (card.metrics.empty())
    fields.fail("metrics", "is missing or empty", "List them: metrics: [{name: accuracy, value: 0.95, samples: 500}]");
  TRY_DO(fields.finish());
  return card;
}

void read_evidence(Fields& fields, gates::Gate& gate) {
  if (!fields.has("evidence")) return;
  std::vector<std::string> names;
  fields.optional("evidence", names);
  const char* hint =
      "List the scorecards that count: evaluated (backstay evaluate), signed (scorecard import), by_hand.";
  if (names.empty()) fields.fail("evidence", "is empty", hint);
  for (const std::string& name : names) {
    const NamedSource* named = source_named(name);
    if (named == nullptr) return fields.fail("evidence", "has '" + name + "'", hint);
    gate.evidence.push_back(named->source);
  }
}

}  // namespace

std::string to_json(const registry::Scorecard& scorecard) {
  json metrics = json::array();
  for (const registry::Metric& metric : scorecard.metrics) {
    json item{{"name", metric.name}, {"value", metric.value}, {"samples", metric.samples}};
    if (!metric.group.empty()) item["group"] = metric.group;
    if (metric.lower) item["lower"] = *metric.lower;
    if (metric.upper) item["upper"] = *metric.upper;
    if (!metric.baseline.empty()) item["baseline"] = metric.baseline;
    metrics.push_back(std::move(item));
  }
  json root{{"kind", registry::to_string(scorecard.kind)},
            {"dataset", scorecard.dataset},
            {"evaluator", scorecard.evaluator},
            {"metrics", std::move(metrics)}};
  if (scorecard.confidence) root["confidence"] = *scorecard.confidence;
  for (const NamedSource& each : kSources)
    if (each.source == scorecard.source) root["source"] = each.name;
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<registry::Scorecard> scorecard_from(const Document& document) {
  return read_scorecard(document, false);
}

Result<registry::Scorecard> stored_scorecard_from(const Document& document) {
  return read_scorecard(document, true);
}

Result<gates::Gate> gate_from(const Document& document) {
  gates::Gate gate;
  Fields fields(document);
  fields.required("name", gate.name);
  fields.optional("confidence", gate.confidence);
  std::string worst_scan = scan::to_string(gate.worst_scan);
  fields.optional("scan", worst_scan);
  if (!scan::verdict_from(worst_scan, gate.worst_scan) || gate.worst_scan == scan::Verdict::kDangerous)
    fields.fail("scan", "is '" + worst_scan + "'",
                "Use safe or suspicious: the worst that is allowed. What is dangerous needs an exception.");
  read_evidence(fields, gate);
  fields.each("rules", [&](Fields& rule) { read_rule(rule, gate.rules.emplace_back()); });
  TRY_DO(fields.finish());
  TRY_DO(gates::validate(gate));
  return gate;
}

std::string to_json(const gates::Verdict& verdict) {
  json rows = json::array();
  for (const gates::Row& row : verdict.rows) {
    rows.push_back({{"rule", row.rule},
                    {"observed", row.observed},
                    {"decision", gates::to_string(row.decision)},
                    {"explanation", row.explanation}});
    if (row.by_hand) rows.back()["by_hand"] = true;
  }
  const json root{{"decision", gates::to_string(verdict.decision)}, {"rows", std::move(rows)}};
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<std::string> rules_by_hand(const std::string& evidence) {
  std::vector<std::string> rules;
  const json table = json::parse(evidence, nullptr, false);
  if (!table.is_object() || !table.contains("rows") || !table["rows"].is_array()) return rules;
  for (const json& row : table["rows"]) {
    const auto marked = row.is_object() ? row.find("by_hand") : row.end();
    if (row.is_object() && marked != row.end() && *marked == true && row.contains("rule") && row["rule"].is_string())
      rules.push_back(row["rule"].get<std::string>());
  }
  return rules;
}

}  // namespace backstay::wire
