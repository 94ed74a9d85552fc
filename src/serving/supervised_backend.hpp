#pragma once

#include <poll.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "ports/backends.hpp"
#include "serving/child_process.hpp"
#include "serving/health_probe.hpp"
#include "serving/lifecycle.hpp"
#include "serving/output_log.hpp"

namespace backstay::serving {

/// One backend at work: its process, output, health probe and lifecycle. Lives on the supervisor's thread; whoever owns
/// it polls watch()'s descriptors and calls advance() when one is ready or due() has come.
class SupervisedBackend {
 public:
  using OnChange = std::function<void(const BackendStatus&)>;

  /// `host` is the IPv4 address of a url's host, or 127.0.0.1.
  SupervisedBackend(BackendSpec spec, std::string host, std::uint16_t port, const std::filesystem::path& logs,
                    OnChange on_change);

  const BackendSpec& spec() const { return spec_; }
  void start(Monotonic now);
  /// SIGTERM, then SIGKILL after the grace; gone() becomes true.
  void stop(Monotonic now);
  bool stopping() const { return stopping_; }
  bool gone() const { return stopping_ && child_.pid < 0; }

  void watch(std::vector<pollfd>& descriptors) const;
  Monotonic due() const;
  void advance(Monotonic now);

  BackendStatus status() const;

 private:
  bool supervised() const { return spec_.kind != BackendSpec::Kind::kUrl; }
  void launch(Monotonic now);
  void read_output();
  void note_port(std::string_view text);
  void on_exit(Monotonic now);
  void probe(Monotonic now);
  void carry_out(Order order, Monotonic now);
  void tell_if_changed();
  std::string why_failed(const std::string& how) const;

  BackendSpec spec_;
  std::string host_;
  std::uint16_t port_;
  OutputLog log_;
  OnChange on_change_;
  Lifecycle life_;
  ChildProcess child_;
  std::string first_lines_;  ///< Until the port was found in it.
  std::optional<HealthProbe> probe_;
  Monotonic next_probe_{};
  bool stopping_ = false;
  Monotonic kill_at_ = Monotonic::max();
  std::string detail_;
  std::optional<BackendStatus> told_;
};

/// Replaces {name} by its value in each of `texts`.
std::string substitute(std::string text, const std::vector<std::pair<std::string, std::string>>& values);

}  // namespace backstay::serving
