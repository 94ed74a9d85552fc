#include "sim/fleet.hpp"

#include <algorithm>

#include "sim/world.hpp"

namespace backstay::sim {

void Fleet::ensure(const std::string& version) {
  const auto known = backends_.find(version);
  if (known != backends_.end()) {
    if (known->second.stopping) known->second.again = true;
    if (known->second.stopping || known->second.life.state() != BackendState::kFailed) return;
    backends_.erase(known);
  }
  backends_.emplace(version, Backend(script(version)));
  launch(version);
}

void Fleet::release(const std::string& version) {
  const auto known = backends_.find(version);
  if (known == backends_.end()) return;
  known->second.again = false;
  if (known->second.stopping) return;
  known->second.stopping = true;
  known->second.process.reset();
  tell(version, BackendState::kStopped);
  // Requests in flight finish first.
  timeline_.after(microseconds(random_.below(300'000)), known->second.alive, [this, version] {
    const bool again = backends_.at(version).again;
    backends_.erase(version);
    if (again) ensure(version);
  });
}

void Fleet::end_all() {
  backends_.clear();
  ++server_lives_;
}

bool Fleet::wanted(const std::string& version) const {
  const auto known = backends_.find(version);
  return known != backends_.end() && (!known->second.stopping || known->second.again);
}

bool Fleet::ready(const std::string& version) const {
  const auto known = backends_.find(version);
  return known != backends_.end() && !known->second.stopping && known->second.life.state() == BackendState::kReady;
}

const VersionScript& Fleet::script(const std::string& version) const {
  return *std::find_if(scenario_.versions.begin(), scenario_.versions.end(),
                       [&](const VersionScript& s) { return s.version == version; });
}

void Fleet::launch(const std::string& version) {
  Backend& backend = backends_.at(version);
  backend.life.started(timeline_.monotonic());
  backend.process = std::make_shared<const int>(0);
  const VersionScript& script = backend.script;
  switch (script.habit) {
    case Habit::kSteady: ready_after(version, script.start_time); break;
    case Habit::kNeverReady: break;
    case Habit::kCrashLoop: ends_after(version, script.start_time / 2); break;
    case Habit::kFlaky:
      ready_after(version, script.start_time);
      ends_after(version, script.start_time + script.lifetime / 2 +
                              microseconds(random_.below(static_cast<std::uint64_t>(script.lifetime.count()))));
      break;
    case Habit::kDiesServing:
      if (!backend.was_ready) ready_after(version, script.start_time);
      ends_after(version, script.start_time + script.lifetime);
      break;
    case Habit::kUrlLostLater:
      if (server_lives_ == 0) ready_after(version, script.start_time);
      break;
  }
  changed(version);
}

void Fleet::ready_after(const std::string& version, microseconds delay) {
  timeline_.after(delay, backends_.at(version).process, [this, version] {
    Backend& backend = backends_.at(version);
    backend.was_ready = true;
    static_cast<void>(backend.life.probed(true, timeline_.monotonic()));
    changed(version);
  });
}

void Fleet::ends_after(const std::string& version, microseconds delay) {
  timeline_.after(delay, backends_.at(version).process, [this, version] {
    Backend& backend = backends_.at(version);
    backend.process.reset();
    backend.life.exited(timeline_.monotonic());
    changed(version);
  });
}

void Fleet::tick(const std::string& version) {
  Backend& backend = backends_.at(version);
  if (backend.stopping) return;
  switch (backend.life.tick(timeline_.monotonic())) {
    case serving::Order::kStart: launch(version); return;
    case serving::Order::kKill:
      backend.process.reset();
      backend.life.exited(timeline_.monotonic());
      break;
    case serving::Order::kNone: break;
  }
  changed(version);
}

void Fleet::changed(const std::string& version) {
  Backend& backend = backends_.at(version);
  if (backend.stopping) return;
  if (backend.life.state() != backend.told) tell(version, backend.life.state());
  const Monotonic due = backend.life.due();
  if (due <= timeline_.monotonic() || due == Monotonic::max()) return;
  const auto delay = std::chrono::duration_cast<microseconds>(due - timeline_.monotonic()) + microseconds(1);
  timeline_.after(delay, backend.alive, [this, version, due] {
    if (backends_.at(version).life.due() == due) tick(version);
  });
}

void Fleet::tell(const std::string& version, BackendState state) {
  backends_.at(version).told = state;
  trace_.line("backend {} is {}", version, backstay::to_string(state));
  BackendStatus status;
  status.endpoint = script(version).endpoint;
  status.version = version;
  status.state = state;
  status.restarts = backends_.at(version).life.restarts();
  status.host = "127.0.0.1";
  status.port = 9000;
  if (on_change_) on_change_(status);
}

}  // namespace backstay::sim
