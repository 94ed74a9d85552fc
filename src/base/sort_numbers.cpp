#include "base/sort_numbers.hpp"

#include <hwy/contrib/sort/vqsort.h>

namespace backstay {

void sort_numbers(std::span<double> numbers) {
  thread_local const hwy::Sorter sorter;  // It holds a buffer.
  sorter(numbers.data(), numbers.size(), hwy::SortAscending());
}

}  // namespace backstay
