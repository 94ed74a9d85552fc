#include "domain/drift/category_sketch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace backstay::drift {

namespace {

constexpr int kNumberBits = 10;
constexpr int kRestBits = 54;

bool by_hash(const CategorySketch::Entry& entry, std::uint32_t hash) {
  return entry.hash < hash;
}

}  // namespace

void CategorySketch::add(std::uint32_t hash, std::uint64_t times) {
  const auto place = std::lower_bound(entries_.begin(), entries_.end(), hash, by_hash);
  if (place != entries_.end() && place->hash == hash) {
    place->count += times;
    return;
  }
  entries_.insert(place, {hash, floor_ + times, floor_});
  if (entries_.size() > 2 * kKept) shrink();
}

void CategorySketch::shrink() {
  if (entries_.size() <= kKept) return;
  std::vector<std::uint64_t> counts;
  counts.reserve(entries_.size());
  for (const Entry& entry : entries_) counts.push_back(entry.count);
  std::nth_element(counts.begin(), counts.begin() + kKept, counts.end(), std::greater<>());
  const std::uint64_t most_that_goes = counts[kKept];
  floor_ = std::max(floor_, most_that_goes);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.count <= most_that_goes; });
}

void CategorySketch::merge(const CategorySketch& other) {
  std::vector<Entry> merged;
  merged.reserve(entries_.size() + other.entries_.size());
  auto a = entries_.begin();
  auto b = other.entries_.begin();
  const auto take = [&](const Entry& entry, std::uint64_t floor_there) {
    merged.push_back({entry.hash, entry.count + floor_there, entry.error + floor_there});
  };
  while (a != entries_.end() || b != other.entries_.end()) {
    if (b == other.entries_.end() || (a != entries_.end() && a->hash < b->hash)) {
      take(*a++, other.floor_);
    } else if (a == entries_.end() || b->hash < a->hash) {
      take(*b++, floor_);
    } else {
      merged.push_back({a->hash, a->count + b->count, a->error + b->error});
      ++a;
      ++b;
    }
  }
  entries_ = std::move(merged);
  floor_ += other.floor_;
  if (entries_.size() > 2 * kKept) shrink();
}

std::optional<CategorySketch> CategorySketch::from_entries(std::vector<Entry> entries, std::uint64_t floor) {
  if (entries.size() > 2 * kKept) return std::nullopt;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].error > entries[i].count) return std::nullopt;
    if (i > 0 && entries[i - 1].hash >= entries[i].hash) return std::nullopt;
  }
  CategorySketch out;
  out.entries_ = std::move(entries);
  out.floor_ = floor;
  return out;
}

// A register's number are the first 10 bits; it keeps how many zeros follow them, at most, and one more.
void DistinctCounter::raise(std::uint64_t hash) {
  if (registers_.empty()) registers_.assign(kRegisters, 0);
  const std::uint64_t rest = hash << kNumberBits;
  const auto zeros = static_cast<std::uint8_t>(rest == 0 ? kRestBits : std::countl_zero(rest));
  std::uint8_t& place = registers_[hash >> kRestBits];
  place = std::max(place, static_cast<std::uint8_t>(zeros + 1));
  if (++raises_ >= kRegisters) find_silent_bits();
}

void DistinctCounter::find_silent_bits() {
  std::uint8_t least = kMaxRegister;
  for (const std::uint8_t each : registers_) least = std::min(least, each);
  const int bits = std::min<int>(least, kRestBits);
  silent_bits_ = ((1ULL << bits) - 1) << (kRestBits - bits);
  raises_ = 0;
}

void DistinctCounter::merge(const DistinctCounter& other) {
  if (registers_.empty()) registers_ = other.registers_;
  for (std::size_t i = 0; i < other.registers_.size(); ++i)
    registers_[i] = std::max(registers_[i], other.registers_[i]);
}

double DistinctCounter::estimate() const {
  if (registers_.empty()) return 0;
  constexpr double kCount = kRegisters;
  constexpr double kAlpha = 0.7213 / (1 + 1.079 / kCount);
  double sum = 0;
  double empty = 0;
  for (const std::uint8_t each : registers_) {
    sum += std::ldexp(1.0, -each);
    if (each == 0) ++empty;
  }
  const double estimate = kAlpha * kCount * kCount / sum;
  return estimate <= 2.5 * kCount && empty > 0 ? kCount * std::log(kCount / empty) : estimate;
}

std::optional<DistinctCounter> DistinctCounter::from_registers(std::vector<std::uint8_t> registers) {
  if (!registers.empty() && registers.size() != kRegisters) return std::nullopt;
  for (const std::uint8_t each : registers)
    if (each > kMaxRegister) return std::nullopt;
  DistinctCounter out;
  out.registers_ = std::move(registers);
  return out;
}

}  // namespace backstay::drift
