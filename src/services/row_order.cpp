#include "services/row_order.hpp"

#include <algorithm>

namespace backstay::services {

namespace {

constexpr std::int64_t kPartsOfTheStretch = 50;
constexpr std::size_t kOneLateOf = 100;

}  // namespace

void RowOrder::add(std::optional<Timestamp> time) {
  if (!time) return;
  if (rows_++ % every_ != 0) return;
  if (times_.size() == kMost) {
    for (std::size_t i = 0; 2 * i < times_.size(); ++i) times_[i] = times_[2 * i];
    times_.resize(kMost / 2);
    every_ *= 2;
    if ((rows_ - 1) % every_ != 0) return;
  }
  times_.push_back(*time);
}

bool RowOrder::in_order() const {
  if (times_.empty()) return true;
  const auto [first, last] = std::minmax_element(times_.begin(), times_.end());
  const auto much = (*last - *first) / kPartsOfTheStretch;
  Timestamp newest = times_.front();
  std::size_t late = 0;
  for (const Timestamp time : times_) {
    newest = std::max(newest, time);
    if (newest - time > much) ++late;
  }
  return late * kOneLateOf <= times_.size();
}

}  // namespace backstay::services
