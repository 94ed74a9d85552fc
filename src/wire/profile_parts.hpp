#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "domain/drift/column_profile.hpp"

/// The parts that profile_json.cpp is made of.
namespace backstay::wire {

/// Reads members of a profile and remembers the first that is wrong; what it gives then is empty.
class ProfileReader {
 public:
  static constexpr std::uint64_t kMaxCount = 1ULL << 52;  ///< Counts are exact as doubles, also when many are added.

  const std::string& problem() const { return problem_; }
  bool ok() const { return problem_.empty(); }
  void fail(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }
  const nlohmann::json* member(const nlohmann::json& object, const char* key, bool required = false);
  /// Null: 0.
  std::uint64_t count(const nlohmann::json* value, const char* what);
  double number(const nlohmann::json* value, const char* what);
  /// A list of numbers, or the bytes of doubles in base 64.
  std::vector<double> numbers(const nlohmann::json& value, const char* what);
  drift::QuantileSketch quantiles(const nlohmann::json& value);

 private:
  std::string problem_;
};

nlohmann::json json_of(const drift::QuantileSketch& sketch);

/// Moments that are not finite are left out.
nlohmann::json json_of(const drift::PairProfile& pairs);
drift::PairProfile read_pairs(ProfileReader& read, const nlohmann::json& value, const drift::Profile& profile);

nlohmann::json json_of(const drift::VectorProfile& vectors);
drift::VectorProfile read_vectors(ProfileReader& read, const nlohmann::json& value);

}  // namespace backstay::wire
