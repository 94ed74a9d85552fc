#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/random.hpp"
#include "ports/backends.hpp"
#include "serving/lifecycle.hpp"
#include "sim/scenario.hpp"
#include "sim/timeline.hpp"
#include "sim/trace.hpp"

namespace backstay::sim {

/// The backends' processes: the real Lifecycle decides, the version's script says how its process behaves. They end
/// with the server that started them.
class Fleet {
 public:
  using OnChange = std::function<void(const BackendStatus&)>;
  Fleet(const Scenario& scenario, Timeline& timeline, Random& random, Trace& trace)
      : scenario_(scenario), timeline_(timeline), random_(random), trace_(trace) {}

  /// Called at each change of a state; the teller takes time as it likes.
  void on_change(OnChange on_change) { on_change_ = std::move(on_change); }
  void ensure(const std::string& version);
  void release(const std::string& version);
  /// The server is gone, and its children with it.
  void end_all();

  /// It is running, or on its way.
  bool wanted(const std::string& version) const;
  bool ready(const std::string& version) const;
  const VersionScript& script(const std::string& version) const;

 private:
  struct Backend {
    explicit Backend(const VersionScript& s)
        : script(s), life(s.habit != Habit::kUrlLostLater, seconds(2)), alive(std::make_shared<const int>(0)) {}
    VersionScript script;
    serving::Lifecycle life;
    std::shared_ptr<const int> alive;    ///< Owns what the supervisor means to do.
    std::shared_ptr<const int> process;  ///< Owns what the process means to do.
    bool stopping = false;
    bool again = false;  ///< Asked for while it was stopping.
    bool was_ready = false;
    BackendState told = BackendState::kStopped;
  };

  void launch(const std::string& version);
  void ends_after(const std::string& version, microseconds delay);
  void ready_after(const std::string& version, microseconds delay);
  void tick(const std::string& version);
  void changed(const std::string& version);
  void tell(const std::string& version, BackendState state);

  const Scenario& scenario_;
  Timeline& timeline_;
  Random& random_;
  Trace& trace_;
  OnChange on_change_;
  std::map<std::string, Backend> backends_;
  unsigned server_lives_ = 0;
};

}  // namespace backstay::sim
