#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

/// Reads FlatBuffers (flatbuffers.dev, "FlatBuffer Binary Format") from hostile bytes, by field numbers: no schema is
/// compiled in, every access is checked.
namespace backstay::tables {

class FlatVector;

/// A table in the buffer. What is not there is its default; what lies outside of the buffer is, too, and makes ok()
/// of the buffer false.
class FlatTable {
 public:
  /// The root of a buffer; `ok` becomes false at the first problem, and must outlive all that is got from here.
  static FlatTable root(std::string_view bytes, bool& ok);

  template <class Value>
  Value scalar(int field, Value otherwise) const {
    const std::size_t at = place(field);
    return at == 0 ? otherwise : read<Value>(at);
  }
  std::string_view text(int field) const;
  /// Of a table that is not there every field is a default.
  FlatTable table(int field) const;
  /// Elements are `element` bytes each; 4 for tables.
  FlatVector vector(int field, std::size_t element) const;
  bool has(int field) const { return place(field) != 0; }

 private:
  friend class FlatVector;
  FlatTable(std::string_view bytes, bool& ok, std::size_t at);

  /// Where a field is; 0: nowhere.
  std::size_t place(int field) const;
  /// Where the offset at `at` leads to; 0 after a problem.
  std::size_t follow(std::size_t at) const;
  template <class Value>
  Value read(std::size_t at) const {
    Value value{};
    if (at > bytes_.size() || sizeof value > bytes_.size() - at) {
      *ok_ = false;
    } else {
      std::memcpy(&value, bytes_.data() + at, sizeof value);
    }
    return value;
  }

  std::string_view bytes_;
  bool* ok_;
  std::size_t at_ = 0;  ///< 0: a table that is not there.
  std::size_t fields_ = 0;
  std::size_t fields_size_ = 0;
};

class FlatVector {
 public:
  std::size_t size() const { return size_; }
  FlatTable table(std::size_t index) const;
  /// A number in an element, `offset` bytes from its begin.
  template <class Value>
  Value read(std::size_t index, std::size_t offset = 0) const {
    return from_.read<Value>(at_ + index * element_ + offset);
  }

 private:
  friend class FlatTable;
  explicit FlatVector(const FlatTable& from) : from_(from) {}
  FlatTable from_;
  std::size_t at_ = 0;
  std::size_t size_ = 0;
  std::size_t element_ = 1;
};

}  // namespace backstay::tables
