#include "serving/backend_supervisor.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "serving/backend_url.hpp"
#include "serving/supervised_backend.hpp"

namespace backstay::serving {

namespace {

struct Target {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

/// "http://host:port" to an IPv4 address.
Result<Target> resolve(const std::string& url) {
  TRY(const BackendUrl parsed, parse_backend_url(url));
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(parsed.host.c_str(), nullptr, &hints, &found); code != 0)
    return Unexpected(ErrorCode::kUnavailable,
                      fmt::format("The host '{}' can't be found: {}.", parsed.host, gai_strerror(code)),
                      "Check the name, or write its address.");
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr, text, sizeof text);
  freeaddrinfo(found);
  return Target{text, parsed.port};
}

bool same(const BackendSpec& a, const BackendSpec& b) {
  return a.kind == b.kind && a.url == b.url && a.command == b.command && a.artifacts == b.artifacts &&
         a.health_path == b.health_path;
}

using Key = std::pair<std::string, std::string>;

}  // namespace

class BackendSupervisor::Loop {
 public:
  Loop(std::filesystem::path logs, OnChange on_change, Descriptor wake)
      : logs_(std::move(logs)), on_change_(std::move(on_change)), wake_(std::move(wake)), thread_([this] { run(); }) {}

  ~Loop() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake();
    thread_.join();
  }

  void post(std::function<void()> command) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(command));
    }
    wake();
  }

  // The rest of the public functions run on the loop's thread.
  void ensure(const BackendSpec& spec, const Target& target) {
    const Key key{spec.endpoint, spec.version};
    const auto known = backends_.find(key);
    if (known == backends_.end()) {
      auto backend = std::make_unique<SupervisedBackend>(spec, target.host, target.port, logs_,
                                                         [this](const BackendStatus& status) { tell(status); });
      SupervisedBackend& started = *backend;
      backends_.emplace(key, std::move(backend));
      started.start(std::chrono::steady_clock::now());
      return;
    }
    SupervisedBackend& backend = *known->second;
    const bool failed = backend.status().state == BackendState::kFailed;
    if (!backend.stopping() && !failed && same(backend.spec(), spec)) return;
    // Started anew as soon as the old one is gone.
    if (!backend.stopping()) backend.stop(std::chrono::steady_clock::now());
    successors_.insert_or_assign(key, std::pair(spec, target));
  }

  void release(const Key& key) {
    successors_.erase(key);
    const auto known = backends_.find(key);
    if (known != backends_.end() && !known->second->stopping()) known->second->stop(std::chrono::steady_clock::now());
  }

  std::vector<BackendStatus> snapshot() const {
    const std::lock_guard lock(mutex_);
    std::vector<BackendStatus> all;
    for (const auto& [key, status] : statuses_) all.push_back(status);
    return all;
  }

 private:
  void wake() {
    const std::uint64_t one = 1;
    static_cast<void>(!write(wake_.get(), &one, sizeof one));
  }

  void tell(const BackendStatus& status) {
    {
      const std::lock_guard lock(mutex_);
      statuses_.insert_or_assign(Key{status.endpoint, status.version}, status);
    }
    on_change_(status);
  }

  void run() {
    bool closing = false;
    while (!closing || !backends_.empty()) {
      wait();
      std::deque<std::function<void()>> commands;
      {
        const std::lock_guard lock(mutex_);
        commands.swap(commands_);
        if (closing_ && !closing) {
          closing = true;
          commands.emplace_back([this] { release_all(); });
        }
      }
      for (const auto& command : commands) command();
      const Monotonic now = std::chrono::steady_clock::now();
      for (const auto& [key, backend] : backends_) backend->advance(now);
      bury();
    }
  }

  void wait() {
    std::vector<pollfd> descriptors{{wake_.get(), POLLIN, 0}};
    Monotonic due = Monotonic::max();
    for (const auto& [key, backend] : backends_) {
      backend->watch(descriptors);
      due = std::min(due, backend->due());
    }
    timespec timeout{};
    const auto left = std::max(due - std::chrono::steady_clock::now(), Monotonic::duration::zero());
    timeout.tv_sec = std::chrono::duration_cast<seconds>(left).count();
    timeout.tv_nsec = (left % seconds(1)).count();
    ppoll(descriptors.data(), descriptors.size(), due == Monotonic::max() ? nullptr : &timeout, nullptr);
    std::uint64_t count = 0;
    static_cast<void>(!read(wake_.get(), &count, sizeof count));
  }

  void release_all() {
    successors_.clear();
    for (const auto& [key, backend] : backends_) {
      if (!backend->stopping()) backend->stop(std::chrono::steady_clock::now());
    }
  }

  void bury() {
    std::vector<std::pair<BackendSpec, Target>> next;
    for (auto item = backends_.begin(); item != backends_.end();) {
      if (!item->second->gone()) {
        ++item;
        continue;
      }
      const Key key = item->first;
      item = backends_.erase(item);
      {
        const std::lock_guard lock(mutex_);
        statuses_.erase(key);
      }
      if (const auto successor = successors_.extract(key)) next.push_back(successor.mapped());
    }
    for (const auto& [spec, target] : next) ensure(spec, target);
  }

  const std::filesystem::path logs_;
  const OnChange on_change_;
  const Descriptor wake_;
  std::map<Key, std::unique_ptr<SupervisedBackend>> backends_;
  std::map<Key, std::pair<BackendSpec, Target>> successors_;

  mutable std::mutex mutex_;
  std::deque<std::function<void()>> commands_;
  std::map<Key, BackendStatus> statuses_;
  bool closing_ = false;
  std::thread thread_;  // Last: it uses all of the above.
};

Result<std::unique_ptr<BackendSupervisor>> BackendSupervisor::create(const std::filesystem::path& logs,
                                                                     OnChange on_change) {
  std::error_code failure;
  std::filesystem::create_directories(logs, failure);
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot make " + logs.string()));
  Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return Unexpected(error_from_errno(errno, "cannot make an event descriptor"));
  return std::unique_ptr<BackendSupervisor>(
      new BackendSupervisor(std::make_unique<Loop>(logs, std::move(on_change), std::move(wake))));
}

BackendSupervisor::BackendSupervisor(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
BackendSupervisor::~BackendSupervisor() = default;

Result<void> BackendSupervisor::ensure(const BackendSpec& spec) {
  Target target;
  if (spec.kind == BackendSpec::Kind::kUrl) {
    const std::string url = substitute(spec.url, {{"version", spec.version}, {"endpoint", spec.endpoint}});
    TRY(target, resolve(url));
  } else if (spec.command.empty()) {
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("Endpoint '{}' has no command.", spec.endpoint));
  }
  loop_->post([loop = loop_.get(), spec, target] { loop->ensure(spec, target); });
  return {};
}

void BackendSupervisor::release(const std::string& endpoint, const std::string& version) {
  loop_->post([loop = loop_.get(), key = Key{endpoint, version}] { loop->release(key); });
}

std::vector<BackendStatus> BackendSupervisor::snapshot() const {
  return loop_->snapshot();
}

}  // namespace backstay::serving
