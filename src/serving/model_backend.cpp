#include "serving/model_backend.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "serving/backend_supervisor.hpp"
#include "wire/inference_json.hpp"

namespace backstay::serving {

namespace {

constexpr seconds kNoticedWithin{2};
constexpr int kTries = 3;

/// Where the backend is now, as its supervisor tells it. Thread-safe.
class Whereabouts {
 public:
  explicit Whereabouts(std::stop_token stop) : stop_(std::move(stop)) {}

  void note(const BackendStatus& status) {
    const std::lock_guard lock(mutex_);
    const std::uint32_t before = status_ ? status_->restarts : 0;
    if (status.restarts > before) restarts_ += status.restarts - before;
    status_ = status;
    changed_.notify_all();
  }

  std::uint64_t restarts() {
    const std::lock_guard lock(mutex_);
    return restarts_;
  }

  /// After a request was lost: gives the supervisor time to notice that the backend went away.
  void lost() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop_, kNoticedWithin, [&] { return status_ && status_->state != BackendState::kReady; });
  }

  /// Waits until it is ready. A url that is not there is given `patience`; a process has what its supervisor gives it.
  Result<BackendStatus> ready(milliseconds patience) {
    std::unique_lock lock(mutex_);
    const auto settled = [&] {
      return status_ && (status_->state == BackendState::kReady || status_->state == BackendState::kFailed);
    };
    const bool known = changed_.wait_for(lock, stop_, patience, settled);
    if (stop_.stop_requested()) return Unexpected(ErrorCode::kUnavailable, "Nobody waits for the model any more.");
    if (!known)
      return Unexpected(ErrorCode::kUnavailable,
                        fmt::format("The model's backend was not ready within {}: {}", to_string(patience), why()),
                        "Look at its output, or raise backend.start_timeout in the suite.");
    if (status_->state == BackendState::kReady) return *status_;
    return Unexpected(ErrorCode::kUnavailable, fmt::format("The model can't be served: {}", why()),
                      "Try it with the worker alone, and register a version that loads.");
  }

 private:
  std::string why() const { return status_ && !status_->detail.empty() ? status_->detail : "it did not say why"; }
  const std::stop_token stop_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<BackendStatus> status_;
  std::uint64_t restarts_ = 0;
};

/// What sessions share.
struct Served {
  explicit Served(std::stop_token stop) : where(std::move(stop)) {}
  Whereabouts where;
  std::string path;  ///< "/v2/models/NAME"
  std::string who;   ///< "m@1.0.0", for errors
  milliseconds patience{};
  milliseconds answer_timeout{};
};

/// In words: "Read" says nothing to who waits for an answer.
std::string words_of(httplib::Error error) {
  switch (error) {
    case httplib::Error::Read: return "the connection ended before the answer came";
    case httplib::Error::Write: return "the connection ended while the request was sent";
    case httplib::Error::Connection: return "it takes no connection";
    default: return httplib::to_string(error);
  }
}

class HttpSession : public ModelSession {
 public:
  explicit HttpSession(Served& served) : served_(served) {}

  Result<Answer> predict(const std::vector<NamedTensor>& inputs) override {
    const std::string body = wire::infer_request(inputs);
    std::string problem;
    for (int i = 0; i < kTries; ++i) {
      TRY_DO(connect());
      const auto begin = std::chrono::steady_clock::now();
      const httplib::Result answer = client_->Post(served_.path + "/infer", body, "application/json");
      const auto took = std::chrono::steady_clock::now() - begin;
      if (!answer) {
        client_.reset();
        // Asked again it would hang again.
        if (took >= served_.answer_timeout) return timed_out();
        served_.where.lost();
        problem = words_of(answer.error());
        continue;
      }
      if (answer->status >= 500) {
        problem = fmt::format("status {}: {}", answer->status, wire::error_of_answer(answer->body));
        continue;
      }
      if (answer->status != 200)
        return Unexpected(ErrorCode::kInvalidArgument,
                          fmt::format("{} refuses a request ({}): {}.", served_.who, answer->status,
                                      wire::error_of_answer(answer->body)),
                          "Check inputs, columns and datatypes of the suite against the model's signature.");
      TRY(std::vector<NamedTensor> outputs, wire::infer_response(served_.who, answer->body));
      return Answer{std::move(outputs), std::chrono::duration_cast<nanoseconds>(took)};
    }
    return Unexpected(ErrorCode::kUnavailable,
                      fmt::format("{} did not answer a request, tried {} times: {}.", served_.who, kTries, problem),
                      "The backend's output is in the evaluations/logs folder of the data directory.");
  }

 private:
  Unexpected timed_out() const {
    return Unexpected(
        ErrorCode::kTimeout,
        fmt::format("{} did not answer a request within {}.", served_.who, to_string(served_.answer_timeout)),
        "If it only is slow, raise backend.answer_timeout in the suite or send fewer rows at a time "
        "(batch). Its output is in the evaluations/logs folder of the data directory.");
  }

  Result<void> connect() {
    if (client_) return {};
    TRY(const BackendStatus status, served_.where.ready(served_.patience));
    client_.emplace(status.host, status.port);
    client_->set_keep_alive(true);
    client_->set_tcp_nodelay(true);
    client_->set_read_timeout(served_.answer_timeout);
    return {};
  }

  Served& served_;
  std::optional<httplib::Client> client_;
};

class Running : public ModelRunner {
 public:
  explicit Running(std::stop_token stop) : served_(std::move(stop)) {}

  Result<void> start(const BackendSpec& spec, const std::string& served_as, const std::filesystem::path& logs,
                     milliseconds answer_timeout) {
    served_.answer_timeout = answer_timeout;
    served_.path = "/v2/models/" + served_as;
    served_.who = spec.endpoint + "@" + spec.version;
    // A process has several chances to become ready, each as long as this.
    served_.patience = spec.kind == BackendSpec::Kind::kUrl ? spec.start_timeout : 6 * spec.start_timeout;
    std::error_code failure;
    std::filesystem::create_directories(logs, failure);
    if (failure) return Unexpected(error_from_errno(failure.value(), "cannot make the folder " + logs.string()));
    TRY(supervisor_,
        BackendSupervisor::create(logs, [this](const BackendStatus& status) { served_.where.note(status); }));
    TRY_DO(supervisor_->ensure(spec));
    TRY(const BackendStatus status, served_.where.ready(served_.patience));
    httplib::Client client(status.host, status.port);
    client.set_read_timeout(answer_timeout);
    const httplib::Result answer = client.Get(served_.path);
    if (!answer)
      return Unexpected(ErrorCode::kUnavailable,
                        fmt::format("{} does not tell its inputs: {}.", served_.who, words_of(answer.error())),
                        "It must answer GET " + served_.path + ".");
    if (answer->status != 200)
      return Unexpected(ErrorCode::kUnavailable,
                        fmt::format("{} answers GET {} with {}: {}.", served_.who, served_.path, answer->status,
                                    wire::error_of_answer(answer->body)),
                        "Name the model as its server does: backend.served_as in the suite.");
    TRY(signature_, wire::model_metadata(served_.who, answer->body));
    return {};
  }

  const registry::Signature& signature() const override { return signature_; }
  std::unique_ptr<ModelSession> open_session() override { return std::make_unique<HttpSession>(served_); }
  std::uint64_t restarts() const override { return served_.where.restarts(); }

 private:
  mutable Served served_;  // Has its own lock.
  registry::Signature signature_;
  std::unique_ptr<BackendSupervisor> supervisor_;  // Goes first: its threads call what stands above.
};

}  // namespace

Result<std::unique_ptr<ModelRunner>> run_model(const BackendSpec& spec, const std::string& served_as,
                                               const std::filesystem::path& logs, milliseconds answer_timeout,
                                               const std::stop_token& stop) {
  auto running = std::make_unique<Running>(stop);
  TRY_DO(running->start(spec, served_as, logs, answer_timeout));
  return std::unique_ptr<ModelRunner>(std::move(running));
}

}  // namespace backstay::serving
