#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::drift {

/// Categories come again in every block of rows: counting them here until somebody asks is quicker than telling all of
/// a column's sketches each time. A plain value. Not thread-safe.
class FrequentTexts {
 public:
  struct Text {
    std::uint64_t hash = 0;
    std::uint64_t times = 0;
    std::string utf8;
  };

  /// Whether it is counted: it came before, or it comes more than once now, is short, and there is a place for it.
  bool count(std::uint64_t hash, std::string_view utf8, std::uint64_t times) {
    for (Text& text : texts_) {
      if (text.hash != hash) continue;
      text.times += times;
      return true;
    }
    if (times < 2 || utf8.size() > kLongest || texts_.size() >= kMost) return false;
    texts_.push_back({hash, times, std::string(utf8)});
    return true;
  }
  const std::vector<Text>& texts() const { return texts_; }
  void clear() { texts_.clear(); }

 private:
  static constexpr std::size_t kMost = 32;
  static constexpr std::size_t kLongest = 64;
  std::vector<Text> texts_;
};

}  // namespace backstay::drift
