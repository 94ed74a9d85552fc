#include "serving/supervised_backend.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

namespace backstay::serving {

namespace {

constexpr milliseconds kProbeWhileStarting{50};
constexpr milliseconds kProbeTimeout{2'000};
constexpr std::size_t kMaxFirstLines = 64 * 1024;

/// A port nobody listens on now. Whoever is told to use it may still find it taken; then it exits and is restarted with
/// another.
std::uint16_t free_port() {
  const Descriptor probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(probe.get(), generic, size) != 0 || getsockname(probe.get(), generic, &size) != 0) return 0;
  return ntohs(address.sin_port);
}

bool uses(const std::vector<std::string>& command, const char* placeholder) {
  return std::any_of(command.begin(), command.end(),
                     [&](const std::string& part) { return part.find(placeholder) != std::string::npos; });
}

}  // namespace

std::string substitute(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [name, value] : values) {
    const std::string placeholder = "{" + name + "}";
    for (std::size_t at = text.find(placeholder); at != std::string::npos;
         at = text.find(placeholder, at + value.size()))
      text.replace(at, placeholder.size(), value);
  }
  return text;
}

SupervisedBackend::SupervisedBackend(BackendSpec spec, std::string host, std::uint16_t port,
                                     const std::filesystem::path& logs, OnChange on_change)
    : spec_(std::move(spec)),
      host_(std::move(host)),
      port_(port),
      log_(logs / fmt::format("{}-{}.log", spec_.endpoint, spec_.version)),
      on_change_(std::move(on_change)),
      life_(spec_.kind != BackendSpec::Kind::kUrl, spec_.start_timeout) {}

void SupervisedBackend::start(Monotonic now) {
  if (supervised()) {
    launch(now);
  } else {
    life_.started(now);
    next_probe_ = now;
  }
  tell_if_changed();
}

void SupervisedBackend::launch(Monotonic now) {
  life_.started(now);
  next_probe_ = now;
  port_ = uses(spec_.command, "{port}") ? free_port() : 0;
  first_lines_.clear();
  detail_.clear();
  const std::vector<std::pair<std::string, std::string>> values{{"port", std::to_string(port_)},
                                                                {"artifacts", spec_.artifacts},
                                                                {"version", spec_.version},
                                                                {"endpoint", spec_.endpoint}};
  std::vector<std::string> command;
  for (const std::string& part : spec_.command) command.push_back(substitute(part, values));
  auto child = start_process(command, {"BACKSTAY_ENDPOINT=" + spec_.endpoint, "BACKSTAY_VERSION=" + spec_.version,
                                       "PORT=" + std::to_string(port_)});
  if (child) {
    child_ = std::move(*child);
    return;
  }
  detail_ = child.error().message;
  life_.exited(now);
}

void SupervisedBackend::stop(Monotonic now) {
  stopping_ = true;
  probe_.reset();
  if (child_.pid > 0) {
    signal_group(child_, SIGTERM);
    kill_at_ = now + spec_.stop_grace;
  }
  tell_if_changed();
}

void SupervisedBackend::watch(std::vector<pollfd>& descriptors) const {
  if (child_.pidfd) descriptors.push_back({child_.pidfd.get(), POLLIN, 0});
  if (child_.output) descriptors.push_back({child_.output.get(), POLLIN, 0});
  if (probe_ && probe_->descriptor() >= 0) descriptors.push_back({probe_->descriptor(), probe_->events(), 0});
}

Monotonic SupervisedBackend::due() const {
  if (stopping_) return kill_at_;
  const bool probes =
      port_ != 0 && life_.state() != BackendState::kBackingOff && life_.state() != BackendState::kFailed;
  const Monotonic probe = !probes ? Monotonic::max() : probe_ ? probe_->deadline() : next_probe_;
  return std::min(life_.due(), probe);
}

void SupervisedBackend::advance(Monotonic now) {
  if (child_.output) read_output();
  pollfd exit{child_.pidfd.get(), POLLIN, 0};
  if (child_.pidfd && poll(&exit, 1, 0) > 0) on_exit(now);
  if (stopping_) {
    if (now >= kill_at_ && child_.pid > 0) {
      signal_group(child_, SIGKILL);
      kill_at_ = Monotonic::max();
    }
    return;
  }
  probe(now);
  carry_out(life_.tick(now), now);
  tell_if_changed();
}

void SupervisedBackend::read_output() {
  char piece[16 * 1024];
  while (true) {
    const ssize_t size = read(child_.output.get(), piece, sizeof piece);
    if (size == 0) child_.output.reset();
    if (size <= 0) return;
    const std::string_view text(piece, static_cast<std::size_t>(size));
    log_.append(text);
    if (spec_.port_from_stdout && port_ == 0) note_port(text);
  }
}

void SupervisedBackend::note_port(std::string_view text) {
  constexpr std::string_view kMark = "{\"port\":";
  if (first_lines_.size() < kMaxFirstLines) first_lines_ += text;
  const std::size_t mark = first_lines_.find(kMark);
  if (mark == std::string::npos) return;
  const std::size_t end = first_lines_.find('}', mark);
  if (end == std::string::npos) return;
  unsigned port = 0;
  std::from_chars(first_lines_.data() + mark + kMark.size(), first_lines_.data() + end, port);
  if (port > 0 && port < 65536) port_ = static_cast<std::uint16_t>(port);
}

std::string SupervisedBackend::why_failed(const std::string& how) const {
  std::string why = life_.timed_out()
                        ? fmt::format("It was not healthy within {} and was stopped.", to_string(spec_.start_timeout))
                        : fmt::format("It {}.", how);
  if (!log_.last_line().empty()) why += fmt::format(" It last printed: {}", log_.last_line());
  return why + fmt::format(" (output: {})", log_.path().string());
}

void SupervisedBackend::on_exit(Monotonic now) {
  const std::string how = reap(child_);
  if (child_.output) read_output();
  child_.output.reset();
  probe_.reset();
  if (stopping_) return;
  detail_ = why_failed(how);
  if (spec_.port_from_stdout) port_ = 0;
  life_.exited(now);
}

void SupervisedBackend::probe(Monotonic now) {
  const BackendState state = life_.state();
  if (port_ == 0 || state == BackendState::kBackingOff || state == BackendState::kFailed) return;
  if (!probe_) {
    if (now < next_probe_) return;
    probe_.emplace(host_, port_, spec_.health_path, now + kProbeTimeout);
    if (probe_->was_impossible()) {
      probe_.reset();
      next_probe_ = now + spec_.health_interval;
      return;
    }
  }
  const std::optional<int> status = probe_->advance(now);
  if (!status) return;
  probe_.reset();
  // A server of someone else's may not know our health path; that it answers has to do.
  const bool healthy = supervised() ? *status >= 200 && *status < 300 : *status > 0 && *status < 500;
  if (!healthy && life_.state() != BackendState::kStarting)
    detail_ =
        *status == 0 ? "The health check got no answer." : fmt::format("The health check was answered {}.", *status);
  carry_out(life_.probed(healthy, now), now);
  if (healthy) detail_.clear();
  next_probe_ = now + (life_.state() == BackendState::kStarting ? kProbeWhileStarting : spec_.health_interval);
}

void SupervisedBackend::carry_out(Order order, Monotonic now) {
  if (order == Order::kKill) {
    signal_group(child_, SIGKILL);
  } else if (order == Order::kStart) {
    launch(now);
  }
}

BackendStatus SupervisedBackend::status() const {
  BackendStatus status;
  status.endpoint = spec_.endpoint;
  status.version = spec_.version;
  status.state = stopping_ ? BackendState::kStopped : life_.state();
  status.host = host_;
  status.port = port_;
  status.detail = detail_;
  status.restarts = life_.restarts();
  return status;
}

void SupervisedBackend::tell_if_changed() {
  const BackendStatus now = status();
  const bool same = told_ && told_->state == now.state && told_->port == now.port && told_->restarts == now.restarts;
  if (same) return;
  told_ = now;
  on_change_(now);
}

}  // namespace backstay::serving
