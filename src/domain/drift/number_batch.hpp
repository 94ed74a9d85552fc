#pragma once

#include <cstdint>
#include <span>

/// What profiles want to know of some numbers at once, with the widest vectors the processor has. Results do not depend
/// on which those are.
namespace backstay::drift {

struct Extent {
  double least = 0, most = 0;
  double sum = 0, sum_rest = 0;  ///< Compensated summation (Knuth's TwoSum): their sum is exact but for its last bits.
};

/// Of at least one number.
Extent extent_of(std::span<const double> numbers);

/// Knuth's TwoSum: what the sum's rounding lost is kept in `rest`. Of one number or of several side by side.
template <class Number>
[[gnu::always_inline]] inline void add_exactly(Number& sum, Number& rest, const Number& number) {
  const Number total = sum + number;
  const Number added = total - sum;
  rest += (sum - (total - added)) + (number - added);
  sum = total;
}

/// Copies them, -0 as 0. Whether all are finite.
bool copy_finite(std::span<const double> numbers, double* to);

/// hash_of_number() of each of up to 64 numbers, none of them -0. The answer has bit i when hash i has none of `bits`.
std::uint64_t hash_numbers(std::span<const double> numbers, std::uint64_t bits, std::uint64_t* hashes);

}  // namespace backstay::drift
