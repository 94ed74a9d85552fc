#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

/// Reads Thrift's compact protocol (thrift/doc/specs/thrift-compact-protocol.md) from hostile bytes.
namespace backstay::tables {

enum class ThriftType : std::uint8_t {
  kStop = 0,
  kTrue = 1,
  kFalse = 2,
  kByte = 3,
  kI16 = 4,
  kI32 = 5,
  kI64 = 6,
  kDouble = 7,
  kBinary = 8,
  kList = 9,
  kSet = 10,
  kMap = 11,
  kStruct = 12
};

/// After the first problem every read gives zero or nothing and ok() is false. Nothing is allocated by announced sizes.
class ThriftReader {
 public:
  explicit ThriftReader(std::string_view bytes) : bytes_(bytes) {}

  /// Calls `on_field` for each field of a struct; what it does not read it must skip(type).
  void fields(const std::function<void(int id, ThriftType type)>& on_field);
  /// Calls `on_item` for each item of a list of `item` type; a list of another type is skipped.
  void list(ThriftType type, ThriftType item, const std::function<void()>& on_item);
  std::int64_t integer(ThriftType type);
  std::string_view binary(ThriftType type);
  void skip(ThriftType type);
  bool ok() const { return ok_; }
  /// How many bytes have not been read; 0 after a problem.
  std::size_t left() const { return bytes_.size(); }

 private:
  std::uint8_t byte();
  std::uint64_t varint();
  void skip_map();
  void fail() {
    ok_ = false;
    bytes_ = {};
  }

  std::string_view bytes_;
  int depth_ = 0;
  bool ok_ = true;
};

}  // namespace backstay::tables
