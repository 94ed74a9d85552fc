#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/guardrails/guardrail.hpp"
#include "domain/rollout/rollout.hpp"
#include "domain/traffic/split.hpp"
#include "gateway/gateway.hpp"
#include "ports/backends.hpp"
#include "ports/ledger.hpp"

/// What the monitor knows, for people and programs to look at.
namespace backstay::monitor {

/// One version's traffic at an endpoint since the server started.
struct VersionTraffic {
  std::string version;
  std::uint64_t requests = 0;  ///< Attempts that were sent to it, mirrored copies not counted.
  std::uint64_t errors = 0;
  std::uint64_t replayed = 0;  ///< Errors that the client never saw.
  std::uint64_t mirrored = 0;
  std::uint64_t labels = 0;  ///< That its answers got, ever; like the next two.
  std::uint64_t reports = 0;
  std::uint64_t conversions = 0;
  double latency_p50_seconds = 0;
  double latency_p95_seconds = 0;
  double latency_p99_seconds = 0;
};

/// What an examiner of sampled answers has done since the server started.
struct ExaminerStatus {
  std::string name;  ///< Of the classifier; empty: the version's signature.
  std::uint64_t judged = 0;
  std::uint64_t bad = 0;      ///< Half or more.
  std::uint64_t missing = 0;  ///< Answers that it could not judge.
  std::string last{};         ///< What was wrong last: with an answer, or with the examiner.
};

struct EndpointStatus {
  std::string endpoint;
  std::string model;
  std::string stable;
  std::string standby;
  traffic::Split split;  ///< In force now.
  std::optional<rollout::State> rollout;
  std::string waiting_for;  ///< What the rollout waits for, a sentence; empty: nothing, or there is none.
  std::vector<guardrails::Evidence> guardrails;  ///< Of the latest rollout.
  std::vector<VersionTraffic> versions;
  std::vector<BackendStatus> backends;
  std::uint64_t labels_joined = 0;
  std::vector<ExaminerStatus> examiners{};
  std::string trouble;  ///< Why a decision is not stored yet; empty when all is.
  /// Of the latest guardrail rollback: from the deciding outcome (or label) to the split with the candidate at 0%.
  std::optional<std::chrono::nanoseconds> decision_to_zero;
  std::optional<Monotonic> decided_at;  ///< When that outcome (or label) was.
};

/// What orders change of an endpoint, without what changes by itself.
struct Deployment {
  EndpointRecord record;
  std::optional<rollout::State> rollout;  ///< The one under way.
};

struct Status {
  std::vector<EndpointStatus> endpoints;
  gateway::GatewayCounters gateway;
  std::uint64_t answers_missed = 0;  ///< That were to be examined: streams, too long, or faster than they were taken.
};

struct FeedbackResult {
  std::uint64_t joined = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t unknown = 0;  ///< Not predicted here, or too long ago.
};

}  // namespace backstay::monitor
