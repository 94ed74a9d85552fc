#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace backstay::traffic {

/// The name of one answer: 128 bits, which the client sees as 32 hex digits in the Backstay-Prediction-Id header. It
/// says itself which version answered and when, so that a prediction can be traced for as long as the registry is kept
/// without a record per request: 32 bits are the serving's number (ports/lineage.hpp; 0 = not known), 32 the second
/// (Unix time, to 2106), 63 are random. The random ones are written first: who sorts by ids, as every table with such
/// a key does, does not sort by version, and sends labels in an order that tells nothing.
struct PredictionId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  static PredictionId make(std::uint32_t serving, std::uint32_t second, std::uint64_t random) {
    return {static_cast<std::uint64_t>(serving) << 32 | second, random | kRandomFirst};
  }
  /// Fails on anything but 32 hex digits. Ids of before, which begin with the serving's number, are read as well.
  static Result<PredictionId> parse(std::string_view hex);
  void append_hex(std::string& out) const;
  std::uint32_t serving() const { return static_cast<std::uint32_t>(high >> 32); }
  Timestamp at() const { return Timestamp(seconds(static_cast<std::uint32_t>(high))); }
  /// Of `low`, when it is written first; a serving's number is less.
  static constexpr std::uint64_t kRandomFirst = std::uint64_t{1} << 63;
  bool operator==(const PredictionId&) const = default;
};

}  // namespace backstay::traffic
