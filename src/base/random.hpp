#pragma once

#include <array>
#include <cstdint>

namespace backstay {

/// xoshiro256++ (Blackman and Vigna, 2019): the seeded generator for traffic choices and simulations. Not for secrets.
/// Not thread-safe; one per thread.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  std::uint64_t next();
  /// Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1).
  double unit();

 private:
  std::array<std::uint64_t, 4> state_;
};

/// 64 bits from the kernel's generator: seeds, tokens, id prefixes. Thread-safe.
std::uint64_t secure_random();

}  // namespace backstay
