#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// Does following `backstay suggest` help? Generated streams in blocks, versions that are trained as time goes on, and
/// what each way to choose among them loses. The suggestion is the program's own (domain/drift/suggestion.hpp); the
/// models are logistic regressions.
namespace backstay::sim {

enum class Stream {
  kSeasons,   ///< Two seasons take turns; features and the rule change with them (recurring).
  kElectric,  ///< Like Elec2: daily cycle, seasons that come back, a slow trend on top.
  kSea,       ///< SEA (Street and Kim, 2001): the rule changes, the features never do.
  kTrend,     ///< Features and rule move away and never come back.
  kSteady,    ///< Nothing changes.
};
constexpr Stream kStreams[] = {Stream::kSeasons, Stream::kElectric, Stream::kSea, Stream::kTrend, Stream::kSteady};
const char* to_string(Stream stream);

/// What suggestions go by.
enum class Knowledge {
  kDistance,  ///< Training profiles only.
  kScores,    ///< Every version was measured on every slice there is.
};
const char* to_string(Knowledge knowledge);

struct DriftRun {
  double latest = 0;     ///< Mean error of always serving the newest version ("keep current").
  double followed = 0;   ///< ... of following the suggestions, too.
  double stored = 0;     ///< ... of the stored version that is best for each block, known afterwards.
  double retrained = 0;  ///< ... of a version trained for each block on data like it.
  int switches = 0;      ///< Suggestions that were followed.
  /// Of what always the newest loses against the oracle, how much following recovers; nothing to recover: 0.
  double recovered_of_stored() const;
  double recovered_of_retrained() const;
};

DriftRun run_drift(Stream stream, Knowledge knowledge, std::uint64_t seed);

}  // namespace backstay::sim
