#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "domain/registry/manifest.hpp"
#include "domain/registry/scorecard.hpp"
#include "domain/scan/report.hpp"

namespace backstay::gates {

/// A rule over the scorecards of a version. `metric` is a metric's name; rates are ratios, latencies seconds.
struct Rule {
  enum class Kind : std::uint8_t {
    kAtLeast,     ///< The metric is at least `bound`, with confidence.
    kAtMost,      ///< The metric is at most `bound`, with confidence.
    kMaxGap,      ///< No two groups of one attribute differ by more than `bound`, with confidence.
    kMinSamples,  ///< The metric was measured on at least `bound` samples.
    kMaxDrop,     ///< The metric is at most `bound` lower than production's on the same rows, with confidence.
    kMaxRise,     ///< The same, higher.
  };
  Kind kind = Kind::kAtLeast;
  std::string metric;
  std::string group;  ///< Empty: everyone.
  double bound = 0;
  std::string dataset{};  ///< Only scorecards of it; empty: that of the newest scorecard with the metric.
};

/// What a version must show before it may go to production.
struct Gate {
  std::string name;
  double confidence = 0.95;  ///< Of the two-sided intervals that rates are judged by.
  std::vector<Rule> rules;
  scan::Verdict worst_scan = scan::Verdict::kSuspicious;  ///< Dangerous needs an exception, whatever this says.
  std::vector<registry::Source> evidence{};               ///< Scorecards that count; empty: all do.
};
/// What the newest scan of the version's artifacts says.
struct ScanEvidence {
  std::optional<scan::Verdict> verdict;  ///< None: they were not scanned.
  std::string found;                     ///< The imports it names, or the first finding.
  std::string accepted;  ///< "alice (until 2026-12-01)": who signed for what is dangerous; empty: nobody.
};
/// Refuses a gate without rules, bounds that can't be met or missed, and bounds of known rates above 1.
Result<void> validate(const Gate& gate);

/// Sentences: rules that are likely to mean something else than they say, such as an upper bound of accuracy.
std::vector<std::string> doubts(const Gate& gate);

enum class Decision : std::uint8_t { kPass, kFail, kInsufficient };
const char* to_string(Decision decision);  ///< "PASS", "FAIL", "INSUFFICIENT"

struct Row {
  std::string rule;      ///< "accuracy >= 0.9"
  std::string observed;  ///< "0.951 [0.921, 0.970] on 285"; "not measured"
  Decision decision = Decision::kInsufficient;
  std::string explanation;  ///< A sentence; what to do when it isn't a pass.
  bool by_hand = false;     ///< It rests on a scorecard that somebody wrote.
};

struct Verdict {
  Decision decision = Decision::kInsufficient;
  std::vector<Row> rows;
};

/// Judges a version. A rate passes when its confidence limit clears the bound, fails when the opposite limit breaches
/// it, and is insufficient in between, so a small sample can't pass. What is no rate is judged by the limits of its
/// scorecard; without limits, times and what was not sampled are compared as they are, and anything else can't pass.
/// The newest scorecard that has a metric counts; what was measured of other data than the newest of its data set is
/// left out (registry::data_digest). An incomplete manifest is a row that fails and names what is missing,
/// and so is a scan that found worse than the gate allows
/// (`scan` may be null: then there is no such row). Any FAIL fails the whole; else any INSUFFICIENT makes it so.
/// `production`: the other version that is in production; empty: none, and rules that compare with it pass. A
/// comparison (the metric "<metric>_change") with any other version can't pass, nor can limits of a lower confidence
/// than the gate's.
Verdict evaluate(const Gate& gate, const registry::Manifest& manifest,
                 const std::vector<registry::StoredScorecard>& scorecards, const ScanEvidence* scan = nullptr,
                 const std::string& production = {});

}  // namespace backstay::gates
