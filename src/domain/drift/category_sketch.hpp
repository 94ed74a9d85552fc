#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace backstay::drift {

/// How often the most frequent of many values come, by their hashes: SpaceSaving (Metwally, Agrawal, El Abbadi, 2005),
/// emptied in batches: when twice kKept values are there, the most frequent kKept stay, and what comes anew is taken to
/// have come as often as the most frequent that had to go (`floor`). A value's true count lies in [count - error,
/// count], and no value that is missing came more often than `floor`. Exact while there are at most 2 kKept values.
/// Merging keeps these bounds (Agarwal and others, "Mergeable summaries", 2012). A plain value. Not thread-safe.
class CategorySketch {
 public:
  static constexpr std::size_t kKept = 128;

  struct Entry {
    std::uint32_t hash = 0;
    std::uint64_t count = 0;
    std::uint64_t error = 0;
    std::uint64_t certain() const { return count - error; }
    bool operator==(const Entry&) const = default;
  };

  void add(std::uint32_t hash, std::uint64_t times = 1);
  void merge(const CategorySketch& other);
  /// By hash.
  const std::vector<Entry>& entries() const { return entries_; }
  std::uint64_t floor() const { return floor_; }
  bool exact() const { return floor_ == 0; }
  void clear() { *this = {}; }
  /// Nothing when the entries are not in order, too many, or counts lie. A count of 0 says that no value is of it.
  static std::optional<CategorySketch> from_entries(std::vector<Entry> entries, std::uint64_t floor);

 private:
  void shrink();
  std::vector<Entry> entries_;
  std::uint64_t floor_ = 0;
};

/// How many different values there are: HyperLogLog (Flajolet and others, 2007) with 1024 registers, a standard error
/// of 3.3%, and linear counting when there are few. Registers merge by their maximum. A plain value. Not thread-safe.
class DistinctCounter {
 public:
  static constexpr std::size_t kRegisters = 1024;
  static constexpr std::uint8_t kMaxRegister = 55;

  /// Hashes must be spread over all 64 bits.
  void add(std::uint64_t hash) {
    if ((hash & silent_bits_) == 0) raise(hash);
  }
  /// A hash that has one of these tells nothing new: no register is so low.
  std::uint64_t silent_bits() const { return silent_bits_; }
  void merge(const DistinctCounter& other);
  double estimate() const;
  /// Empty until the first value.
  const std::vector<std::uint8_t>& registers() const { return registers_; }
  static std::optional<DistinctCounter> from_registers(std::vector<std::uint8_t> registers);

 private:
  void raise(std::uint64_t hash);
  void find_silent_bits();
  std::vector<std::uint8_t> registers_;
  std::uint64_t silent_bits_ = 0;
  std::size_t raises_ = 0;  ///< Since they were found.
};

}  // namespace backstay::drift
