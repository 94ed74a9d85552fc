#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::traffic {

/// Shares of traffic are parts per million, so that they add up exactly.
inline constexpr std::uint32_t kWhole = 1'000'000;

enum class Role : std::uint8_t { kStable, kCandidate, kShadow, kHoldback };
const char* to_string(Role role);

/// What share of an endpoint's requests a version gets, as a fact about the endpoint (no addresses).
struct Share {
  std::string version;  ///< "1.1.0"
  Role role = Role::kStable;
  std::uint32_t ppm = 0;
  bool operator==(const Share&) const = default;
};

/// An endpoint's whole traffic split. Invariant (checked by is_valid): the shares of all arms but shadow add up to
/// kWhole, at most one arm per version, and `fallback` names an arm: the known-good version that failed canary requests
/// are replayed on.
struct Split {
  std::vector<Share> arms;
  std::string fallback;
  std::string shadow;            ///< Version that gets mirrored copies; empty = none.
  std::uint32_t shadow_ppm = 0;  ///< Share of requests that is mirrored.
  bool operator==(const Split&) const = default;
};
bool is_valid(const Split& split);

/// Which arm serves a draw in [0, kWhole). The candidate's arm takes the lowest draws, so a sticky user who was moved
/// to the candidate stays there as its share rises.
std::size_t choose(const Split& split, std::uint32_t draw);

/// A sticky user's draw in [0, kWhole): depends on the salt (rollout id) and key only. FNV-1a finished with
/// splitmix64's mixer.
std::uint32_t sticky_draw(std::string_view salt, std::string_view key);

}  // namespace backstay::traffic
