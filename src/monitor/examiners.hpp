#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "domain/registry/manifest.hpp"
#include "gateway/answer_queue.hpp"
#include "monitor/status.hpp"
#include "monitor/task_thread.hpp"
#include "ports/classifier.hpp"

namespace backstay::monitor {

/// Who looks at an endpoint's sampled answers: a classifier, or the version's signature.
struct ExaminerConfig {
  std::string name;                        ///< Of the classifier; "": the signature.
  std::shared_ptr<Classifier> classifier;  ///< nullptr: the signature.
  std::string json_pointer;   ///< Where the text is in the answer; empty: all of it. Not for event streams, whose text
                              ///< is what their events add up to (wire::StreamedText).
  std::size_t waiting = 256;  ///< Answers that may wait for it; more are missed.
};

/// Examines sampled answers after they were given, on threads of their own: nothing on a request's path, and not the
/// control loop, waits for a verdict. A thread takes the answers and checks signatures, each classifier has one more.
/// What can't be judged (no room, a time-out, no text, no signature) is a missing verdict: counted, shown, and no
/// evidence of anything. stop() and the destructor drop what waits.
class Examiners {
 public:
  /// By endpoint, in the order of the endpoints' plan of examiners (ValuePlan).
  using Plan = std::vector<std::vector<ExaminerConfig>>;
  struct Ports {
    gateway::AnswerQueue& answers;
    /// What a version's answers are to look like; called once per version, on the thread that takes the answers.
    std::function<Result<registry::Signature>(std::uint32_t endpoint, const std::string& version)> signature_of;
    /// A verdict from 0 to 1. Called on the examiners' threads.
    std::function<void(const traffic::Outcome& outcome, std::size_t examiner, double verdict)> on_verdict;
  };
  Examiners(Ports ports, const Plan& plan);
  ~Examiners() { stop(); }
  Examiners(const Examiners&) = delete;
  Examiners& operator=(const Examiners&) = delete;

  void stop();
  /// Any thread.
  std::vector<ExaminerStatus> status(std::uint32_t endpoint) const;

 private:
  struct Examiner {
    explicit Examiner(const ExaminerConfig& its_config) : config(its_config) {}
    ExaminerConfig config;
    std::atomic<std::size_t> waiting{0};
    std::atomic<bool> stopping{false};
    mutable std::mutex mutex;
    ExaminerStatus counts;
    std::unique_ptr<TaskThread> thread;  ///< Of a classifier. Last: it uses the above.
  };
  using Sample = std::shared_ptr<const gateway::AnswerSample>;
  void run();
  void examine(const Sample& sample);
  void ask(Examiner& examiner, std::size_t index, const Sample& sample);
  void judge(Examiner& examiner, std::size_t index, const gateway::AnswerSample& sample) const;
  void check(Examiner& examiner, std::size_t index, const gateway::AnswerSample& sample);
  void tell(Examiner& examiner, std::size_t index, const traffic::Outcome& outcome, double verdict) const;
  static void miss(Examiner& examiner, const std::string& why);

  Ports ports_;
  std::vector<std::vector<std::unique_ptr<Examiner>>> examiners_;
  std::map<std::pair<std::uint32_t, std::string>, Result<registry::Signature>> signatures_;  ///< Of run()'s thread.
  std::thread thread_;
};

}  // namespace backstay::monitor
