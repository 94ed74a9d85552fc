#include "cli/forecast_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/terminal.hpp"

namespace backstay::cli {

using guardrails::Forecast;
using nlohmann::json;
using Verdict = Forecast::Verdict;

namespace {

constexpr int kRows = 10;

const char* word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kEnough: return "enough";
    case Verdict::kUnlikely: return "unlikely";
    case Verdict::kNever: return "never";
    case Verdict::kAllowed: return "allowed";
    case Verdict::kBaselineBreaches: return "baseline_breaches";
  }
  return "never";
}

json number(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

std::string count(double value) {
  if (!std::isfinite(value)) return "-";
  const std::string digits = fmt::format("{:.0f}", std::ceil(value));
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string level(const ForecastQuestion& question, double value) {
  return guardrails::is_duration(question.spec.signal.kind) ? fmt::format("{:g} ms", value * 1e3)
                                                            : fmt::format("{:g}", value);
}

// The share of the releases that were taken back by then: # bad ones, . good ones.
std::string curves(const Forecast& f) {
  std::string out;
  for (int row = kRows; row >= 0; --row) {
    const auto height = [](double share) { return static_cast<int>(std::lround(share * kRows)); };
    std::string line;
    for (std::size_t x = 0; x < f.detected_by.size(); ++x) {
      const bool bad = height(f.detected_by[x]) == row;
      const bool good = height(f.false_by[x]) == row;
      line += bad ? '#' : (good ? '.' : ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += fmt::format("  {:>4} |{}\n", row % 5 == 0 ? fmt::format("{}%", row * 100 / kRows) : "", line);
  }
  const auto width = static_cast<int>(f.detected_by.size());
  const std::string end = human_seconds(f.simulated_seconds);
  out += fmt::format("       +{:-<{}}\n        0{:>{}}\n", "", width, end, width - 1);
  out += "        # taken back when it is bad   . taken back when it is good\n";
  return out;
}

Colour colour_of(Verdict verdict) {
  if (verdict == Verdict::kEnough) return Colour::kGreen;
  return verdict == Verdict::kUnlikely || verdict == Verdict::kAllowed ? Colour::kYellow : Colour::kRed;
}

}  // namespace

std::string human_seconds(double seconds) {
  if (!std::isfinite(seconds)) return "-";
  if (seconds < 10) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 120) return fmt::format("{}s", whole);
  const auto two = [](long large, const char* a, long small, const char* b) {
    return small == 0 ? fmt::format("{}{}", large, a) : fmt::format("{}{} {}{}", large, a, small, b);
  };
  if (whole < 2 * 3600) return two(whole / 60, "m", whole % 60, "s");
  if (whole < 2 * 86400) return two(whole / 3600, "h", whole % 3600 / 60, "m");
  return two(whole / 86400, "d", whole % 86400 / 3600, "h");
}

json to_json(const ForecastQuestion& question, const Forecast& f) {
  json out{{"guardrail", question.spec.name},
           {"test", guardrails::to_string(guardrails::chosen_test(question.spec))},
           {"alpha", question.alpha},
           {"baseline", question.expectation.baseline},
           {"effect", question.expectation.effect},
           {"verdict", word(f.verdict)},
           {"sentence", f.sentence},
           {"runs", f.runs},
           {"step_seconds", question.traffic.seconds},
           {"simulated_seconds", f.simulated_seconds},
           {"candidate_outcomes", f.candidate_outcomes},
           {"detected", f.detected},
           {"false_alarms", f.false_alarms},
           {"seconds_to_detect", {{"p50", number(f.median_seconds)}, {"p90", number(f.p90_seconds)}}},
           {"outcomes_to_detect", {{"p50", number(f.median_outcomes)}, {"p90", number(f.p90_outcomes)}}},
           {"bad_outcomes_until_detected", {{"p50", number(f.median_bad)}}},
           {"bound_outcomes", f.bound_outcomes > 0 ? json(f.bound_outcomes) : json(nullptr)},
           {"detected_by", f.detected_by},
           {"false_alarms_by", f.false_by}};
  if (question.spec.covariate.given()) {
    const auto& r2 = question.expectation.covariate_r2;
    out["covariate"] = {{"explained_ratio", r2 ? json(*r2) : json(nullptr)}};
  }
  return out;
}

std::string forecast_text(const ForecastQuestion& q, const Forecast& f, bool plot) {
  std::string out = fmt::format("{}  {}, alpha {:g}: {} -> {}\n", coloured(Colour::kBold, q.spec.name),
                                guardrails::to_string(guardrails::chosen_test(q.spec)), q.alpha,
                                level(q, q.expectation.baseline), level(q, q.expectation.effect));
  const auto row = [&](const char* name, const std::string& text) { out += fmt::format("  {:<14} {}\n", name, text); };
  row("traffic",
      fmt::format("{} candidate outcomes in {}", count(f.candidate_outcomes), human_seconds(q.traffic.seconds)));
  if (q.expectation.covariate_r2)
    row("covariate", fmt::format("explains {:g}% of the variance on stable", *q.expectation.covariate_r2 * 100));
  row("found", fmt::format("{:.1f}% of {} simulated bad releases", f.detected * 100, f.runs));
  row("time", fmt::format("{} in the middle, 9 in 10 within {}", human_seconds(f.median_seconds),
                          human_seconds(f.p90_seconds)));
  std::string exposure = fmt::format("{} candidate outcomes in the middle, 9 in 10 within {}", count(f.median_outcomes),
                                     count(f.p90_outcomes));
  if (std::isfinite(f.median_bad)) exposure += fmt::format("; {} of them bad", count(f.median_bad));
  row("exposure", exposure);
  if (f.bound_outcomes > 0)
    row("best possible", fmt::format("{} candidate outcomes on average, for any such test", count(f.bound_outcomes)));
  row("false alarms", fmt::format("{:.1f}% of {} simulated good releases (at most {:g}% ever)", f.false_alarms * 100,
                                  f.runs, q.alpha * 100));
  if (f.simulated_seconds < q.traffic.seconds)
    row("simulated", fmt::format("the first {} of the step", human_seconds(f.simulated_seconds)));
  if (plot) out += "\n" + curves(f) + "\n";
  out += "  " + coloured(colour_of(f.verdict), f.sentence) + "\n";
  return out;
}

}  // namespace backstay::cli
