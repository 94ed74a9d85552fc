#pragma once

#include <cstdint>
#include <set>
#include <string_view>

#include "sim/trace.hpp"

namespace backstay::sim {

/// The process is gone at this very place: nothing after it happens in this life. Caught by the simulation only.
struct CrashSignal {};

/// Counts the places where a crash makes a difference: before each effect, around each commit, before each answer. A
/// scenario names those at which the process ends, by number.
class Boundary {
 public:
  Boundary(std::set<std::uint64_t> crashes, Trace& trace) : crashes_(std::move(crashes)), trace_(trace) {}

  void pass(std::string_view place) {
    if (!crashes_.contains(++passed_)) return;
    trace_.line("CRASH at boundary {}, {}", passed_, place);
    throw CrashSignal{};
  }
  std::uint64_t passed() const { return passed_; }

 private:
  std::set<std::uint64_t> crashes_;
  Trace& trace_;
  std::uint64_t passed_ = 0;
};

}  // namespace backstay::sim
