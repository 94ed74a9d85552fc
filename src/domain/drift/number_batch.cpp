#include "domain/drift/number_batch.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "domain/drift/value_hash.hpp"

namespace backstay::drift {

namespace {

constexpr std::size_t kTogether = 8;  ///< Numbers that are looked at side by side, whatever a vector holds.

struct Vectors128 {
  using Numbers = double __attribute__((vector_size(16)));
  using Words = std::uint64_t __attribute__((vector_size(16)));
};
struct Vectors256 {
  using Numbers = double __attribute__((vector_size(32)));
  using Words = std::uint64_t __attribute__((vector_size(32)));
};
struct Vectors512 {
  using Numbers = double __attribute__((vector_size(64)));
  using Words = std::uint64_t __attribute__((vector_size(64)));
};

template <class Vectors>
[[gnu::always_inline]] inline void extent_in(std::span<const double> numbers, Extent& out) {
  using Numbers = typename Vectors::Numbers;
  constexpr std::size_t kLanes = sizeof(Numbers) / sizeof(double);
  constexpr std::size_t kSets = kTogether / kLanes;
  const double first = numbers[0];
  Numbers least[kSets], most[kSets], sum[kSets], rest[kSets];
  for (std::size_t k = 0; k < kSets; ++k) {
    sum[k] = rest[k] = Numbers{};
    least[k] = most[k] = Numbers{} + first;
  }
  std::size_t i = 0;
  for (; i + kTogether <= numbers.size(); i += kTogether) {
    for (std::size_t k = 0; k < kSets; ++k) {
      Numbers some;
      std::memcpy(&some, &numbers[i + kLanes * k], sizeof some);
      least[k] = some < least[k] ? some : least[k];
      most[k] = some > most[k] ? some : most[k];
      add_exactly(sum[k], rest[k], some);
    }
  }
  std::array<double, kTogether> lanes;
  out = {first, first, 0, 0};
  std::memcpy(lanes.data(), least, sizeof lanes);
  for (const double lane : lanes) out.least = std::min(out.least, lane);
  std::memcpy(lanes.data(), most, sizeof lanes);
  for (const double lane : lanes) out.most = std::max(out.most, lane);
  std::memcpy(lanes.data(), sum, sizeof lanes);
  for (const double lane : lanes) add_exactly<double>(out.sum, out.sum_rest, lane);
  std::memcpy(lanes.data(), rest, sizeof lanes);
  for (const double lane : lanes) out.sum_rest += lane;
  for (; i < numbers.size(); ++i) {
    out.least = std::min(out.least, numbers[i]);
    out.most = std::max(out.most, numbers[i]);
    add_exactly(out.sum, out.sum_rest, numbers[i]);
  }
}

template <class Vectors>
[[gnu::always_inline]] inline std::uint64_t hash_in(std::span<const double> numbers, std::uint64_t bits,
                                                    std::uint64_t* hashes) {
  using Words = typename Vectors::Words;
  constexpr std::size_t kLanes = sizeof(Words) / sizeof(std::uint64_t);
  std::array<std::uint64_t, kLanes> lanes;
  for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = 1ULL << lane;
  Words bit;  // Of the answer, by lane.
  std::memcpy(&bit, lanes.data(), sizeof bit);
  Words answer{};
  std::size_t i = 0;
  for (; i + kLanes <= numbers.size(); i += kLanes) {
    Words words;
    std::memcpy(&words, &numbers[i], sizeof words);
    words += kNumberSeed;
    spread_bits(words);
    std::memcpy(&hashes[i], &words, sizeof words);
    answer |= (words & bits) == 0 ? bit : Words{};
    bit <<= kLanes;
  }
  std::uint64_t out = 0;
  std::memcpy(lanes.data(), &answer, sizeof answer);
  for (const std::uint64_t lane : lanes) out |= lane;
  for (; i < numbers.size(); ++i) {
    hashes[i] = hash_of_number(numbers[i]);
    out |= std::uint64_t{(hashes[i] & bits) == 0} << i;
  }
  return out;
}

template <class Vectors>
[[gnu::always_inline]] inline bool copy_in(std::span<const double> numbers, double* to) {
  using Numbers = typename Vectors::Numbers;
  constexpr std::size_t kLanes = sizeof(Numbers) / sizeof(double);
  Numbers nothing{};  // 0, and not a number as soon as one of them is not finite.
  std::size_t i = 0;
  for (; i + kLanes <= numbers.size(); i += kLanes) {
    Numbers some;
    std::memcpy(&some, &numbers[i], sizeof some);
    nothing += some * 0;
    some += 0;
    std::memcpy(to + i, &some, sizeof some);
  }
  std::array<double, kLanes> lanes;
  std::memcpy(lanes.data(), &nothing, sizeof nothing);
  double all = 0;
  for (const double lane : lanes) all += lane;
  for (; i < numbers.size(); ++i) {
    all += numbers[i] * 0;
    to[i] = numbers[i] + 0.0;
  }
  return all == 0;
}

struct Functions {
  bool (*copy)(std::span<const double>, double*);
  void (*extent)(std::span<const double>, Extent&);
  std::uint64_t (*hash)(std::span<const double>, std::uint64_t, std::uint64_t*);
};

bool copy_any(std::span<const double> numbers, double* to) {
  return copy_in<Vectors128>(numbers, to);
}
void extent_any(std::span<const double> numbers, Extent& out) {
  extent_in<Vectors128>(numbers, out);
}
std::uint64_t hash_any(std::span<const double> numbers, std::uint64_t bits, std::uint64_t* hashes) {
  return hash_in<Vectors128>(numbers, bits, hashes);
}
#ifdef __x86_64__
[[gnu::target("avx2")]] bool copy_avx2(std::span<const double> numbers, double* to) {
  return copy_in<Vectors256>(numbers, to);
}
[[gnu::target("avx2")]] void extent_avx2(std::span<const double> numbers, Extent& out) {
  extent_in<Vectors256>(numbers, out);
}
[[gnu::target("avx2")]] std::uint64_t hash_avx2(std::span<const double> numbers, std::uint64_t bits,
                                                std::uint64_t* hashes) {
  return hash_in<Vectors256>(numbers, bits, hashes);
}
[[gnu::target("avx512f,avx512dq")]] void extent_avx512(std::span<const double> numbers, Extent& out) {
  extent_in<Vectors512>(numbers, out);
}
[[gnu::target("avx512f,avx512dq")]] std::uint64_t hash_avx512(std::span<const double> numbers, std::uint64_t bits,
                                                              std::uint64_t* hashes) {
  return hash_in<Vectors512>(numbers, bits, hashes);
}
#endif

const Functions functions = [] {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return Functions{copy_avx2, extent_avx512, hash_avx512};
  if (__builtin_cpu_supports("avx2")) return Functions{copy_avx2, extent_avx2, hash_avx2};
#endif
  return Functions{copy_any, extent_any, hash_any};
}();

}  // namespace

bool copy_finite(std::span<const double> numbers, double* to) {
  return functions.copy(numbers, to);
}

Extent extent_of(std::span<const double> numbers) {
  Extent out;
  functions.extent(numbers, out);
  return out;
}

std::uint64_t hash_numbers(std::span<const double> numbers, std::uint64_t bits, std::uint64_t* hashes) {
  return functions.hash(numbers, bits, hashes);
}

}  // namespace backstay::drift
