#include "base/sort_numbers.hpp"

// foreach_target.h includes this file again for each instruction set that is not disabled here; its place is before the
// other headers of Highway.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "base/sort_numbers.cpp"
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/sort/traits-inl.h>
#include <hwy/contrib/sort/vqsort-inl.h>
// clang-format on

#include <algorithm>
#include <bit>
#include <vector>

// Only Highway's headers are used. Its library measures the clock's resolution whenever a program starts (4 ms), and
// its vqsort takes half as long again: it asks the kernel for random numbers at each call, and compresses into memory,
// which some processors do slowly.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3

HWY_BEFORE_NAMESPACE();
namespace backstay::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::SortTag<double>;
using Order = hn::detail::SharedTraits<hn::detail::TraitsLane<hn::detail::OrderAscending<double>>>;
constexpr std::size_t kLanes = HWY_LANES(double);
/// So many are sorted by a network.
constexpr std::size_t kFew = hwy::SortConstants::BaseCaseNum(kLanes);

/// Writes the kLanes numbers at `from` that are below the pivot to `left`, how many it gives, and the others to
/// `right`. Up to kLanes places behind each may be overwritten. Not Highway's Compress: gcc 12 copies its table at
/// every call.
#if HWY_TARGET == HWY_AVX3
inline std::size_t part(const double* from, __m512d pivot, double* left, double* right) {
  const __m512d numbers = _mm512_loadu_pd(from);
  const auto below = _mm512_cmp_pd_mask(numbers, pivot, _CMP_LT_OQ);
  _mm512_storeu_pd(left, _mm512_maskz_compress_pd(below, numbers));
  _mm512_storeu_pd(right, _mm512_maskz_compress_pd(static_cast<__mmask8>(~below), numbers));
  return static_cast<std::size_t>(std::popcount(below));
}
__m512d broadcast(double number) {
  return _mm512_set1_pd(number);
}
#else
/// By a mask of lanes: where each half of a lane comes from, so that those of the mask are first.
struct Moves {
  alignas(32) std::int32_t of[16][8];
};
constexpr Moves kMoves = [] {
  Moves out{};
  for (std::size_t mask = 0; mask < 16; ++mask) {
    std::size_t next = 0;
    for (const bool taken : {true, false})
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        if (((mask >> lane & 1) != 0) == taken)
          for (const std::size_t half : {0, 1}) out.of[mask][next++] = static_cast<std::int32_t>(2 * lane + half);
  }
  return out;
}();
inline __m256d first(__m256d numbers, unsigned mask) {
  const __m256i moves = _mm256_load_si256(reinterpret_cast<const __m256i*>(kMoves.of[mask]));
  return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(numbers), moves));
}
inline std::size_t part(const double* from, __m256d pivot, double* left, double* right) {
  const __m256d numbers = _mm256_loadu_pd(from);
  const auto below = static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(numbers, pivot, _CMP_LT_OQ)));
  _mm256_storeu_pd(left, first(numbers, below));
  _mm256_storeu_pd(right, first(numbers, below ^ 0xfU));
  return static_cast<std::size_t>(std::popcount(below));
}
__m256d broadcast(double number) {
  return _mm256_set1_pd(number);
}
#endif

/// Those below the pivot first; how many there are. `space` has room for all numbers and kLanes more.
std::size_t partition(double* numbers, std::size_t size, double pivot, double* space) {
  double* left = numbers;  // Never before what was read: it is overwritten behind that only.
  double* right = space;
  const auto pivots = broadcast(pivot);
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    const std::size_t below = part(numbers + i, pivots, left, right);
    left += below;
    right += kLanes - below;
  }
  for (; i < size; ++i) {
    const double number = numbers[i];
    *left = number;
    *right = number;
    left += number < pivot ? 1 : 0;
    right += number < pivot ? 0 : 1;
  }
  // By hand, because small calls of memcpy become slow string instructions.
  const Tag tag;
  const auto moved = static_cast<std::size_t>(right - space);
  for (i = 0; i + kLanes <= moved; i += kLanes) hn::StoreU(hn::LoadU(tag, space + i), tag, left + i);
  for (; i < moved; ++i) left[i] = space[i];
  return static_cast<std::size_t>(left - numbers);
}

double median(double a, double b, double c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

double pivot_of(const double* numbers, std::size_t size) {
  constexpr std::size_t kLooks = 9;
  const std::size_t step = size / kLooks;
  const double* at = numbers + step / 2;
  return median(median(at[0], at[step], at[2 * step]), median(at[3 * step], at[4 * step], at[5 * step]),
                median(at[6 * step], at[7 * step], at[8 * step]));
}

/// Quicksort (Bramas, "A novel hybrid quicksort algorithm vectorized using AVX-512", 2017), with Highway's networks for
/// what is small. `end`: of all that is being sorted; what lies before it may be read and is not less.
void sort_part(double* numbers, std::size_t size, double* end, double* space, double* small, int depth) {
  while (size > kFew) {
    if (depth-- == 0) return std::sort(numbers, numbers + size);  // Pivots were bad again and again.
    const double pivot = pivot_of(numbers, size);
    std::size_t below = partition(numbers, size, pivot, space);
    if (below > 0) {
      sort_part(numbers, below, end, space, small, depth);
    } else {
      // The pivot is the least of them. All that equal it are where they belong.
      for (std::size_t i = 0; i < size; ++i) {
        if (numbers[i] != pivot) continue;
        std::swap(numbers[i], numbers[below++]);
      }
    }
    numbers += below;
    size -= below;
  }
  hn::detail::BaseCase(Tag(), Order(), numbers, end, size, small);
}

void sort(std::span<double> numbers) {
  thread_local std::vector<double> space;
  if (space.size() < numbers.size() + kLanes) space.resize(numbers.size() + kLanes);
  HWY_ALIGN double small[hwy::SortConstants::BufNum<double>(kLanes)];
  const int depth = 2 * std::bit_width(numbers.size()) + 4;
  sort_part(numbers.data(), numbers.size(), numbers.data() + numbers.size(), space.data(), small, depth);
}

}  // namespace
}  // namespace backstay::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

#if HWY_ONCE
namespace backstay {

const std::vector<NumberSort>& number_sorts() {
  static const std::vector<NumberSort> kSorts = [] {
    std::vector<NumberSort> out;
#ifdef __x86_64__
    const bool is_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    const bool is_avx512 = is_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                           __builtin_cpu_supports("avx512cd");
    if (is_avx512) out.push_back(N_AVX3::sort);
    if (is_avx2) out.push_back(N_AVX2::sort);
#endif
    out.push_back([](std::span<double> numbers) { std::sort(numbers.begin(), numbers.end()); });
    return out;
  }();
  return kSorts;
}

void sort_numbers(std::span<double> numbers) {
  static const NumberSort kBest = number_sorts().front();
  kBest(numbers);
}

}  // namespace backstay
#endif
