#include "tables/thrift_reader.hpp"

namespace backstay::tables {

namespace {

constexpr int kMaxDepth = 32;

}  // namespace

std::uint8_t ThriftReader::byte() {
  if (bytes_.empty()) {
    fail();
    return 0;
  }
  const auto value = static_cast<std::uint8_t>(bytes_.front());
  bytes_.remove_prefix(1);
  return value;
}

std::uint64_t ThriftReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t part = byte();
    value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
    if ((part & 0x80) == 0) return value;
  }
  fail();
  return 0;
}

std::int64_t ThriftReader::integer(ThriftType type) {
  if (type == ThriftType::kByte) return static_cast<std::int8_t>(byte());
  if (type != ThriftType::kI16 && type != ThriftType::kI32 && type != ThriftType::kI64) {
    skip(type);
    return 0;
  }
  const std::uint64_t zigzag = varint();
  return static_cast<std::int64_t>((zigzag >> 1) ^ (~(zigzag & 1) + 1));
}

std::string_view ThriftReader::binary(ThriftType type) {
  if (type != ThriftType::kBinary) {
    skip(type);
    return {};
  }
  const std::uint64_t size = varint();
  if (size > bytes_.size()) {
    fail();
    return {};
  }
  const std::string_view out = bytes_.substr(0, static_cast<std::size_t>(size));
  bytes_.remove_prefix(out.size());
  return out;
}

void ThriftReader::fields(const std::function<void(int, ThriftType)>& on_field) {
  if (++depth_ > kMaxDepth) fail();
  std::int64_t id = 0;
  while (ok_) {
    const std::uint8_t head = byte();
    const auto type = static_cast<ThriftType>(head & 0x0f);
    if (type == ThriftType::kStop) break;
    if (type > ThriftType::kStruct) fail();
    id = (head >> 4) != 0 ? id + (head >> 4) : integer(ThriftType::kI16);
    if (id < -32768 || id > 32767) fail();
    if (ok_) on_field(static_cast<int>(id), type);
  }
  --depth_;
}

void ThriftReader::list(ThriftType type, ThriftType item, const std::function<void()>& on_item) {
  if (type != ThriftType::kList) return skip(type);
  if (++depth_ > kMaxDepth) fail();
  const std::uint8_t head = byte();
  const std::uint64_t size = (head >> 4) == 15 ? varint() : head >> 4;
  const auto found = static_cast<ThriftType>(head & 0x0f);
  // Every item takes at least one byte.
  if (size > bytes_.size()) fail();
  for (std::uint64_t i = 0; ok_ && i < size; ++i) {
    if (found == item) {
      on_item();
    } else if (found == ThriftType::kTrue || found == ThriftType::kFalse) {
      byte();
    } else {
      skip(found);
    }
  }
  --depth_;
}

void ThriftReader::skip_map() {
  const std::uint64_t size = varint();
  if (size == 0) return;
  const std::uint8_t types = byte();
  if (size > bytes_.size()) fail();
  const auto skip_item = [&](ThriftType type) {
    if (type == ThriftType::kTrue || type == ThriftType::kFalse) {
      byte();
    } else {
      skip(type);
    }
  };
  for (std::uint64_t i = 0; ok_ && i < size; ++i) {
    skip_item(static_cast<ThriftType>(types >> 4));
    skip_item(static_cast<ThriftType>(types & 0x0f));
  }
}

void ThriftReader::skip(ThriftType type) {
  if (++depth_ > kMaxDepth) fail();
  switch (type) {
    case ThriftType::kTrue:
    case ThriftType::kFalse: break;  // A field's value is in its type.
    case ThriftType::kByte: byte(); break;
    case ThriftType::kI16:
    case ThriftType::kI32:
    case ThriftType::kI64: varint(); break;
    case ThriftType::kDouble:
      if (bytes_.size() < 8) {
        fail();
      } else {
        bytes_.remove_prefix(8);
      }
      break;
    case ThriftType::kBinary: binary(type); break;
    case ThriftType::kList:
    case ThriftType::kSet: list(ThriftType::kList, ThriftType::kStop, [] {}); break;
    case ThriftType::kMap: skip_map(); break;
    case ThriftType::kStruct: fields([this](int, ThriftType field) { skip(field); }); break;
    case ThriftType::kStop:
    default: fail();
  }
  --depth_;
}

}  // namespace backstay::tables
