#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/time.hpp"
#include "domain/drift/row_profile.hpp"
#include "gateway/request_sampler.hpp"
#include "ports/ledger.hpp"
#include "ports/live_windows.hpp"

namespace backstay::live {

/// What is looked at of an endpoint's requests; endpoints that are not sampled are not in it.
struct EndpointConfig {
  std::uint32_t number = 0;  ///< In the gateway's configuration.
  std::string name;
  std::vector<std::string> columns;  ///< Names of the values of one wide tensor, in order.
  std::set<std::string> ignored;
  std::string segment_column;  ///< Requests are also profiled by its value; empty: not.
  milliseconds window{3'600'000};
  std::uint64_t window_rows = 100'000;  ///< A window ends at the latest with this many.
  double alpha = 0.01;                  ///< Chance that a version which nothing happens to ever raises an alarm.
};

/// Profiles of live requests: one thread takes the gateway's samples, reads their rows, sketches them by version and
/// segment, and keeps each window durably. Each column of a version's stream is also watched sequentially against the
/// version's training profile, and each window that is over for relations of columns and embeddings (WindowWatch); they
/// share the endpoint's alpha. An alarm is an entry in the audit log ("drift.alarm"), once per column or pair, version
/// and run of the program. Requests never wait for any of it. start() and stop() from one thread.
class LiveProfiles {
 public:
  struct Ports {
    /// Hands over the requests that were sampled since the last call.
    std::function<void(const std::function<void(const gateway::RequestSample&)>&)> drain;
    /// How many samples were dropped so far.
    std::function<std::uint64_t()> dropped;
    LiveWindowStore& windows;
    AuditLog& audit;
    const Clock& clock;
    /// The training profile of the version that an endpoint serves; an error: there is none, nothing is watched.
    std::function<Result<drift::Profile>(const std::string& endpoint, const std::string& version)> training;
    /// Told, on this thread, of the first alarm of a version, and again with every window that is kept after it. May
    /// take long: samples that come meanwhile are dropped and counted. May be empty.
    std::function<void(const std::string& endpoint, const std::string& version)> drifted{};
  };

  LiveProfiles(Ports ports, const std::vector<EndpointConfig>& endpoints);
  ~LiveProfiles();
  LiveProfiles(const LiveProfiles&) = delete;
  LiveProfiles& operator=(const LiveProfiles&) = delete;

  void start();
  /// Labels show that a version errs more often (monitor::ErrorAlarms): Ports::drifted is told, on this thread. From
  /// any thread.
  void errors_rose(const std::string& endpoint, const std::string& version);
  /// Keeps what there is of every window.
  void stop();
  /// Of an endpoint whose requests are sampled, since the start. From any thread.
  std::optional<LiveCounts> counts(const std::string& endpoint) const;

  /// One round: takes what the gateway has and keeps windows that are due. For tests; the thread calls it else.
  void turn();

 private:
  class Endpoint;
  void run();

  Ports ports_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::vector<std::pair<std::string, std::string>> risen_;  ///< Endpoint and version; not told of yet.
  std::thread thread_;
};

}  // namespace backstay::live
