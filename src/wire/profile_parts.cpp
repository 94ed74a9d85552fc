#include "wire/profile_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"

namespace backstay::wire {

using drift::QuantileSketch;
using drift::VectorProfile;
using nlohmann::json;

namespace {

// Bytes as they lie in memory, which is little-endian on all machines that this is built for.
template <class Value>
void append_bytes(const Value& value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string bytes_of(ProfileReader& read, const json* value, std::size_t unit, std::size_t most, const char* what) {
  auto out = value != nullptr && value->is_string() ? from_base64(value->get_ref<const std::string&>())
                                                    : Result<std::string>(Unexpected(ErrorCode::kInvalidArgument, ""));
  if (out && out->size() % unit == 0 && out->size() / unit <= most) return *std::move(out);
  read.fail(fmt::format("{} are no bytes, or too many", what));
  return {};
}

}  // namespace

const json* ProfileReader::member(const json& object, const char* key, bool required) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (object.is_object() && found != object.end()) return &*found;
  if (required) fail(fmt::format("{} is missing", key));
  return nullptr;
}

std::uint64_t ProfileReader::count(const json* value, const char* what) {
  if (value == nullptr) return 0;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() <= kMaxCount) return value->get<std::uint64_t>();
  fail(fmt::format("{} is no count", what));
  return 0;
}

double ProfileReader::number(const json* value, const char* what) {
  if (value == nullptr) return 0;
  const double out = value->is_number() ? value->get<double>() : std::nan("");
  if (std::isfinite(out)) return out;
  fail(fmt::format("{} is no number", what));
  return 0;
}

std::vector<double> ProfileReader::numbers(const json& value, const char* what) {
  std::vector<double> out;
  if (value.is_array()) {
    for (const json& each : value) out.push_back(number(&each, what));
  } else {
    const std::string bytes = bytes_of(*this, &value, sizeof(double), SIZE_MAX, what);
    out.resize(bytes.size() / sizeof(double));
    std::memcpy(out.data(), bytes.data(), bytes.size());
    if (!std::all_of(out.begin(), out.end(), [](double each) { return std::isfinite(each); }))
      fail(fmt::format("{} has what is no number", what));
  }
  return out;
}

QuantileSketch ProfileReader::quantiles(const json& value) {
  std::vector<std::vector<double>> levels;
  if (const json* list = member(value, "levels", true); list != nullptr && list->is_array()) {
    for (const json& level : *list) {
      levels.push_back(numbers(level, "a level of quantiles"));
      if (!ok()) return QuantileSketch();
    }
  } else {
    fail("levels is no list");
  }
  const std::uint64_t k = count(member(value, "k", true), "k");
  auto sketch =
      k > UINT32_MAX ? std::nullopt : QuantileSketch::from_levels(static_cast<std::uint32_t>(k), std::move(levels));
  if (!sketch) fail("quantiles are no sketch");
  return sketch ? *std::move(sketch) : QuantileSketch();
}

json json_of(const QuantileSketch& sketch) {
  json levels = json::array();
  for (const std::vector<double>& level : sketch.levels())
    levels.push_back(to_base64({reinterpret_cast<const char*>(level.data()), level.size() * sizeof(double)}));
  return {{"k", sketch.k()}, {"levels", std::move(levels)}};
}

json json_of(const drift::PairProfile& pairs) {
  json moments = json::array();
  for (std::size_t y = 1; y < pairs.columns().size(); ++y) {
    for (std::size_t x = 0; x < y; ++x) {
      const drift::PairMoments& m = pairs.at(x, y);
      if (m.rows == 0 || !m.possible()) continue;
      moments.push_back({x, y, m.rows, m.mean_x, m.mean_y, m.xx, m.yy, m.xy, m.blocks, m.weight, m.mean_z, m.spread});
    }
  }
  return {{"columns", pairs.columns()}, {"moments", std::move(moments)}};
}

namespace {

drift::PairMoments read_moments(ProfileReader& read, const json& value, std::uint64_t rows) {
  drift::PairMoments out;
  out.rows = read.count(&value[2], "a pair's rows");
  out.mean_x = read.number(&value[3], "a pair's mean");
  out.mean_y = read.number(&value[4], "a pair's mean");
  out.xx = read.number(&value[5], "a pair's moment");
  out.yy = read.number(&value[6], "a pair's moment");
  out.xy = read.number(&value[7], "a pair's moment");
  out.blocks = read.count(&value[8], "a pair's blocks");
  out.weight = read.number(&value[9], "a pair's weight");
  out.mean_z = read.number(&value[10], "a pair's z");
  out.spread = read.number(&value[11], "a pair's spread");
  const auto n = static_cast<double>(out.rows);
  constexpr double kRounding = 1 + 1e-6;
  if (out.rows == 0 || out.rows > rows) read.fail("a pair has no rows, or more than the profile");
  // Profiles of before have pairs of numbers whose squares are rounded to nothing.
  constexpr double kTold = std::numeric_limits<double>::min();
  const bool untold = out.xx >= 0 && out.yy >= 0 && (out.xx < kTold || out.yy < kTold);
  if (!out.possible() && !untold) read.fail("a pair's moments can't be");
  if (out.blocks > out.rows || out.weight < static_cast<double>(out.blocks) || out.weight > n || out.spread < 0 ||
      (out.blocks == 0 && (out.weight != 0 || out.mean_z != 0 || out.spread != 0)) ||
      std::abs(out.mean_z) > drift::fisher_z(1) * kRounding)
    read.fail("a pair's blocks can't be");
  if (!out.possible()) return {};
  return out;
}

}  // namespace

drift::PairProfile read_pairs(ProfileReader& read, const json& value, const drift::Profile& profile) {
  constexpr std::size_t kMembers = 12;
  drift::PairProfile out;
  const json* columns = read.member(value, "columns", true);
  const json* list = read.member(value, "moments", true);
  if (columns == nullptr || !columns->is_array() || columns->size() > drift::PairProfile::kMaxColumns ||
      list == nullptr || !list->is_array()) {
    read.fail("pairs have no list of at most 32 columns, or no moments");
    return out;
  }
  for (const json& each : *columns) {
    const std::string name = each.is_string() ? each.get<std::string>() : std::string();
    const auto& known = out.columns();
    if (!each.is_string() || profile.find(name) == nullptr ||
        std::find(known.begin(), known.end(), name) != known.end())
      read.fail("a pair's column is not in the profile, or twice");
    if (!read.ok()) return out;
    out.add_column(name);
  }
  for (const json& each : *list) {
    if (!each.is_array() || each.size() != kMembers) read.fail("a pair's moments are not twelve numbers");
    const std::uint64_t x = read.ok() ? read.count(&each[0], "a pair's place") : 0;
    const std::uint64_t y = read.ok() ? read.count(&each[1], "a pair's place") : 0;
    if (x >= y || y >= out.columns().size()) read.fail("a pair's places can't be");
    if (read.ok() && out.at(x, y).rows > 0) read.fail("a pair is there twice");
    if (!read.ok()) return out;
    out.at(x, y) = read_moments(read, each, profile.rows);
  }
  return out;
}

namespace {

/// A list of exactly that many finite numbers.
void read_list(ProfileReader& read, const json* value, const char* what, double* out, std::size_t size) {
  if (value == nullptr || !value->is_array() || value->size() != size)
    return read.fail(fmt::format("{} is not a list of {} numbers", what, size));
  for (std::size_t i = 0; i < size; ++i) out[i] = read.number(&(*value)[i], what);
}

}  // namespace

json json_of(const VectorProfile& vectors) {
  std::string keys;
  std::string points;
  for (const VectorProfile::Sampled& each : vectors.sample()) {
    append_bytes(each.key, keys);
    append_bytes(each.point, points);
  }
  return {{"dimension", vectors.dimension()},  {"count", vectors.count()},
          {"others", vectors.others()},        {"projection", drift::kProjectionVersion},
          {"mean", vectors.moments().mean},    {"products", vectors.moments().products},
          {"norms", json_of(vectors.norms())}, {"sample", {{"keys", to_base64(keys)}, {"points", to_base64(points)}}}};
}

VectorProfile read_vectors(ProfileReader& read, const json& value) {
  VectorProfile::Parts parts;
  parts.dimension = read.count(read.member(value, "dimension", true), "a vector's dimension");
  parts.moments.rows = read.count(read.member(value, "count", true), "the count of vectors");
  parts.others = read.count(read.member(value, "others"), "the count of other vectors");
  if (read.count(read.member(value, "projection", true), "projection") != drift::kProjectionVersion)
    read.fail("vectors are projected in a way that is not known");
  read_list(read, read.member(value, "mean", true), "mean", parts.moments.mean.data(), parts.moments.mean.size());
  read_list(read, read.member(value, "products", true), "products", parts.moments.products.data(),
            parts.moments.products.size());
  if (const json* norms = read.member(value, "norms", true); norms != nullptr) parts.norms = read.quantiles(*norms);
  const json* sample = read.member(value, "sample", true);
  if (!read.ok()) return VectorProfile();
  constexpr std::size_t kPointBytes = sizeof(VectorProfile::Sampled::point);
  const std::string keys =
      bytes_of(read, read.member(*sample, "keys", true), sizeof(std::uint64_t), VectorProfile::kSample, "keys");
  const std::string points =
      bytes_of(read, read.member(*sample, "points", true), kPointBytes, VectorProfile::kSample, "points");
  const std::size_t size = keys.size() / sizeof(std::uint64_t);
  if (points.size() != size * kPointBytes) read.fail("there are not as many points as keys");
  if (!read.ok()) return VectorProfile();
  parts.sample.resize(size);
  for (std::size_t i = 0; i < size; ++i) {
    std::memcpy(&parts.sample[i].key, keys.data() + i * sizeof(std::uint64_t), sizeof(std::uint64_t));
    std::memcpy(parts.sample[i].point.data(), points.data() + i * kPointBytes, kPointBytes);
  }
  auto out = VectorProfile::from_parts(std::move(parts));
  if (!out) read.fail("vectors can't be");
  return out ? *std::move(out) : VectorProfile();
}

}  // namespace backstay::wire
