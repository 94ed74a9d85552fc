#include "gateway/binary_tensor.hpp"

#include <bit>
#include <cstring>

#include "tables/value_text.hpp"

namespace backstay::gateway {

struct BinaryTensorReader::Datatype {
  std::string_view name;
  std::size_t bytes;                         ///< Of an element; of BYTES those of its length.
  TensorElement (*element)(const char* at);  ///< nullptr: BYTES.
};

namespace {

static_assert(std::endian::native == std::endian::little);

template <class T>
T loaded(const char* at) {
  T out{};
  std::memcpy(&out, at, sizeof out);
  return out;
}

TensorElement real(double number) {
  return {TensorElement::Kind::kNumber, false, number};
}

template <class T>
TensorElement whole(const char* at) {
  return {TensorElement::Kind::kNumber, true, static_cast<double>(loaded<T>(at))};
}

constexpr BinaryTensorReader::Datatype kDatatypes[] = {
    {"BOOL", 1,
     [](const char* at) -> TensorElement {
       return {TensorElement::Kind::kBoolean, false, *at != 0 ? 1.0 : 0.0};
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
    {"BYTES", sizeof(std::uint32_t), nullptr},
};

const BinaryTensorReader::Datatype* datatype_of(std::string_view name) {
  for (const auto& each : kDatatypes)
    if (each.name == name) return &each;
  return nullptr;
}

}  // namespace

BinaryTensorReader::BinaryTensorReader(std::string_view datatype, std::string_view raw)
    : datatype_(datatype_of(datatype)), raw_(raw) {}

bool BinaryTensorReader::next(TensorElement& out) {
  if (datatype_ == nullptr) return false;
  if (datatype_->element == nullptr) {
    out = {TensorElement::Kind::kText};
    return next_text(out.text);
  }
  if (raw_.size() < datatype_->bytes) return false;
  out = datatype_->element(raw_.data());
  raw_.remove_prefix(datatype_->bytes);
  return true;
}

bool BinaryTensorReader::next_text(std::string_view& out) {
  if (raw_.size() < sizeof(std::uint32_t)) return false;
  const auto length = loaded<std::uint32_t>(raw_.data());
  if (raw_.size() - sizeof length < length) return false;
  out = raw_.substr(sizeof length, length);
  raw_.remove_prefix(sizeof length + length);
  return true;
}

bool BinaryTensorReader::skip(std::uint64_t count) {
  if (datatype_ == nullptr || count > raw_.size() / datatype_->bytes) return false;
  if (datatype_->element != nullptr) {
    raw_.remove_prefix(count * datatype_->bytes);
    return true;
  }
  std::string_view text;
  for (; count > 0; --count)
    if (!next_text(text)) return false;
  return true;
}

bool BinaryTensorReader::may_be(std::uint64_t count) const {
  if (datatype_ == nullptr) return false;
  if (datatype_->element == nullptr) return count <= raw_.size() / datatype_->bytes;
  return raw_.size() / datatype_->bytes == count && raw_.size() % datatype_->bytes == 0;
}

}  // namespace backstay::gateway
