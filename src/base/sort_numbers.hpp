#pragma once

#include <span>
#include <vector>

namespace backstay {

/// Sorts finite numbers, ascending, with the widest vectors the processor has: a thousand at once take some 4 ns each.
/// What comes out does not depend on the processor, as long as no -0 is among them. Thread-safe.
void sort_numbers(std::span<double> numbers);

/// What sort_numbers() chooses from, best first: those that this processor can run. For tests.
using NumberSort = void (*)(std::span<double> numbers);
const std::vector<NumberSort>& number_sorts();

}  // namespace backstay
