#include "api/drift_json.hpp"

#include <nlohmann/json.hpp>

namespace backstay::api {

using drift::ColumnDrift;
using nlohmann::json;

namespace {

json optional_json(const std::optional<double>& value) {
  return value ? json(*value) : json(nullptr);
}

json column_json(const ColumnDrift& c, const std::map<std::string, Timestamp>& since = {}) {
  json quality = json::array();
  for (const drift::QualityFinding& finding : c.quality)
    quality.push_back({{"kind", drift::to_string(finding.kind)},
                       {"training", finding.training},
                       {"live", finding.live},
                       {"p_value", finding.p_value},
                       {"text", finding.text}});
  return {{"column", c.name},
          {"measure", drift::to_string(c.measure)},
          {"drifted", c.drifted},
          {"training_rows", c.training_rows},
          {"live_rows", c.live_rows},
          {"test", c.test},
          {"statistic", c.statistic},
          {"p_value", c.p_value},
          {"adjusted_p", c.adjusted_p},
          {"shift", optional_json(c.shift)},
          {"wasserstein", optional_json(c.wasserstein)},
          {"ks", optional_json(c.ks)},
          {"psi", optional_json(c.psi)},
          {"js", optional_json(c.js)},
          {"mmd_squared", optional_json(c.mmd)},
          {"quality", std::move(quality)},
          {"since", since.contains(c.name) ? json(to_rfc3339(since.at(c.name))) : json(nullptr)},
          {"bins", {{"edges", c.edges}, {"training", c.training_shares}, {"live", c.live_shares}}},
          {"quantiles", {{"training", c.training_quantiles}, {"live", c.live_quantiles}}}};
}

json pair_json(const drift::PairDrift& pair, const services::DriftedSince& since) {
  const auto began = since.pairs.find({pair.x, pair.y});
  return {{"columns", {pair.x, pair.y}},
          {"drifted", pair.drifted},
          {"training_rows", pair.training_rows},
          {"live_rows", pair.live_rows},
          {"training_correlation", pair.training},
          {"live_correlation", pair.live},
          {"test", "fisher_z"},
          {"statistic", pair.statistic},
          {"dispersion", pair.dispersion},
          {"p_value", pair.p_value},
          {"adjusted_p", pair.adjusted_p},
          {"since", began != since.pairs.end() ? json(to_rfc3339(began->second)) : json(nullptr)}};
}

json expected_json(const std::optional<drift::Expected>& value) {
  if (!value) return nullptr;
  return {{"value", value->value}, {"lower", value->lower}, {"upper", value->upper}};
}

}  // namespace

json to_json(const services::DriftReport& report) {
  json columns = json::array();
  for (const ColumnDrift& each : report.comparison.columns) columns.push_back(column_json(each, report.since.columns));
  json pairs = json::array();
  for (const drift::PairDrift& each : report.comparison.pairs) pairs.push_back(pair_json(each, report.since));
  json alarms = json::array();
  for (const services::ColumnAlarm& each : report.live.alarms)
    alarms.push_back({{"column", each.column},
                      {"since_row", each.alarm.since},
                      {"since_time", each.since_time.empty() ? json(nullptr) : json(each.since_time)},
                      {"sure_at_row", each.alarm.at},
                      {"values", each.alarm.what},
                      {"training", each.alarm.training},
                      {"live", each.alarm.live}});
  json out{{"version", report.version.str()},
           {"drifted", report.drifted()},
           {"enough_rows", report.comparison.enough},
           {"training",
            {{"rows", report.comparison.training_rows},
             {"columns_left_out", report.training.profile.left_out},
             {"slices", report.training.slices},
             {"slices_without_profile", report.training.without}}},
           {"live",
            {{"rows", report.comparison.live_rows},
             {"columns_left_out", report.live.profile.left_out},
             {"left_out", report.live.left_out},
             {"in_order", report.live.in_order},
             {"unreadable", report.unreadable},
             {"unreadable_for", report.unreadable_for},
             {"dropped", report.dropped}}},
           {"columns", std::move(columns)},
           {"pairs", std::move(pairs)},
           {"absent", report.comparison.absent},
           {"not_in_training", report.comparison.not_in_training},
           {"not_compared", report.comparison.not_compared},
           {"heavy_tailed", report.comparison.heavy_tailed},
           {"times", report.live.times},
           {"alarms", std::move(alarms)},
           {"prediction", report.prediction ? column_json(*report.prediction) : json(nullptr)},
           {"errors", nullptr}};
  if (report.live.errors) {
    const services::ErrorReport& errors = *report.live.errors;
    out["errors"] = {{"labelled", errors.labelled},
                     {"wrong", errors.wrong},
                     {"expected_rate", errors.expected},
                     {"alarm_at_row", errors.alarm ? json(*errors.alarm) : json(nullptr)},
                     {"alarm_time", errors.alarm_time.empty() ? json(nullptr) : json(errors.alarm_time)},
                     {"note", errors.note.empty() ? json(nullptr) : json(errors.note)}};
  }
  return out;
}

json to_json(const services::Advice& advice) {
  json ranking = json::array();
  for (const drift::Ranked& each : advice.suggestion.ranking) {
    const services::Considered& version = advice.considered[each.contender];
    ranking.push_back({{"version", version.ref.str()},
                       {"current", each.contender == 0},
                       {"archived", version.archived},
                       {"trained_on", version.slices},
                       {"distance", each.distance ? json(*each.distance) : json(nullptr)},
                       {"expected", expected_json(each.expected)},
                       {"gain", expected_json(each.gain)}});
  }
  json mixture = json::array();
  for (std::size_t i = 0; i < advice.slices.size(); ++i)
    mixture.push_back({{"slice", advice.slices[i]}, {"weight", advice.mixture.weights[i]}});
  json excluded = json::array();
  for (const auto& each : advice.excluded) excluded.push_back({{"version", each.ref.str()}, {"why", each.why}});
  const auto& best = advice.suggestion.best;
  return {{"current", advice.current.str()},
          {"suggested", best ? json(advice.considered[*best].ref.str()) : json(nullptr)},
          {"reason", advice.suggestion.reason},
          {"enough", advice.suggestion.enough},
          {"note", advice.note.empty() ? json(nullptr) : json(advice.note)},
          {"metric", advice.metric},
          {"lower_is_better", advice.scale.better == registry::Better::kLower},
          {"live_rows", advice.live_rows},
          {"looks_like", std::move(mixture)},
          {"unexplained", advice.mixture.columns > 0 ? json(advice.mixture.unexplained) : json(nullptr)},
          {"ranking", std::move(ranking)},
          {"excluded", std::move(excluded)}};
}

}  // namespace backstay::api
