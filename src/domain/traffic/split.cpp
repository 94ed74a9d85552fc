#include "domain/traffic/split.hpp"

namespace backstay::traffic {

const char* to_string(Role role) {
  switch (role) {
    case Role::kStable: return "stable";
    case Role::kCandidate: return "candidate";
    case Role::kShadow: return "shadow";
    case Role::kHoldback: return "holdback";
  }
  return "stable";
}

bool is_valid(const Split& split) {
  std::uint64_t total = 0;
  bool has_fallback = false;
  for (std::size_t i = 0; i < split.arms.size(); ++i) {
    total += split.arms[i].ppm;
    has_fallback |= split.arms[i].version == split.fallback;
    for (std::size_t j = 0; j < i; ++j) {
      if (split.arms[i].version == split.arms[j].version) return false;
    }
  }
  return total == kWhole && has_fallback && split.shadow_ppm <= kWhole;
}

std::size_t choose(const Split& split, std::uint32_t draw) {
  // The candidate first, whatever its place in the list: its interval [0, ppm) only grows as a rollout advances.
  for (std::size_t i = 0; i < split.arms.size(); ++i) {
    if (split.arms[i].role == Role::kCandidate) {
      if (draw < split.arms[i].ppm) return i;
      draw -= split.arms[i].ppm;
    }
  }
  std::size_t last = 0;
  for (std::size_t i = 0; i < split.arms.size(); ++i) {
    if (split.arms[i].role == Role::kCandidate) continue;
    last = i;
    if (draw < split.arms[i].ppm) return i;
    draw -= split.arms[i].ppm;
  }
  return last;
}

std::uint32_t sticky_draw(std::string_view salt, std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;  // keeps ("ab", "c") apart from ("a", "bc")
  };
  mix(salt);
  mix(key);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  hash ^= hash >> 31;
  return static_cast<std::uint32_t>(((hash >> 32) * kWhole) >> 32);
}

}  // namespace backstay::traffic
