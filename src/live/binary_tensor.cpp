#include "live/binary_tensor.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tables/value_text.hpp"

namespace backstay::live {

namespace {

using drift::Value;

static_assert(std::endian::native == std::endian::little);

template <class T>
T loaded(const char* at) {
  T out{};
  std::memcpy(&out, at, sizeof out);
  return out;
}

Value real(double number) {
  return std::isfinite(number) ? Value{Value::Kind::kNumber, false, number} : Value{};
}

template <class T>
Value whole(const char* at) {
  return {Value::Kind::kNumber, true, static_cast<double>(loaded<T>(at))};
}

struct Datatype {
  std::string_view name;
  std::size_t bytes;
  Value (*value)(const char* at);
};
constexpr Datatype kDatatypes[] = {
    {"BOOL", 1,
     [](const char* at) -> Value {
       return {Value::Kind::kBoolean, false, *at != 0 ? 1.0 : 0.0};
     }},
    {"UINT8", 1, whole<std::uint8_t>},
    {"UINT16", 2, whole<std::uint16_t>},
    {"UINT32", 4, whole<std::uint32_t>},
    {"UINT64", 8, whole<std::uint64_t>},
    {"INT8", 1, whole<std::int8_t>},
    {"INT16", 2, whole<std::int16_t>},
    {"INT32", 4, whole<std::int32_t>},
    {"INT64", 8, whole<std::int64_t>},
    {"FP16", 2, [](const char* at) { return real(tables::half_to_double(loaded<std::uint16_t>(at))); }},
    {"BF16", 2,
     [](const char* at) {
       return real(static_cast<double>(std::bit_cast<float>(std::uint32_t{loaded<std::uint16_t>(at)} << 16)));
     }},
    {"FP32", 4, [](const char* at) { return real(static_cast<double>(loaded<float>(at))); }},
    {"FP64", 8, [](const char* at) { return real(loaded<double>(at)); }},
};

bool read_texts(std::string_view raw, std::size_t count, std::vector<Value>& out) {
  for (std::size_t i = 0; i < count; ++i) {
    if (raw.size() < sizeof(std::uint32_t)) return false;
    const auto length = loaded<std::uint32_t>(raw.data());
    raw.remove_prefix(sizeof length);
    if (raw.size() < length) return false;
    out.push_back(length == 0 ? Value{} : Value{Value::Kind::kText, false, 0, raw.substr(0, length)});
    raw.remove_prefix(length);
  }
  return raw.empty();
}

}  // namespace

bool read_binary_tensor(std::string_view datatype, std::string_view raw, std::size_t count, std::vector<Value>& out) {
  if (datatype == "BYTES") return read_texts(raw, count, out);
  for (const Datatype& each : kDatatypes) {
    if (each.name != datatype) continue;
    if (raw.size() / each.bytes != count || raw.size() % each.bytes != 0) return false;
    for (std::size_t i = 0; i < count; ++i) out.push_back(each.value(raw.data() + i * each.bytes));
    return true;
  }
  return false;
}

}  // namespace backstay::live
