#pragma once

#include <cstdint>
#include <string_view>

namespace backstay::gateway {

/// An element of a tensor in the binary extension of the Open Inference Protocol (V2).
struct TensorElement {
  enum class Kind : std::uint8_t { kNumber, kBoolean, kText };
  Kind kind = Kind::kNumber;
  bool whole = false;          ///< A number of a datatype of integers.
  double number = 0;           ///< Of kNumber as it is, not finite ones too; of kBoolean 1 or 0.
  std::string_view text = {};  ///< Of kText; points into the tensor's bytes.
};

/// Reads the elements of a tensor as that extension sends them, one after another: little-endian, without gaps; BYTES
/// are a length of four bytes and the bytes. Datatypes are BOOL, INT8 to UINT64, FP16, BF16, FP32, FP64 and BYTES; of
/// another one nothing can be read. Hostile: any bytes will do. `raw` must outlive it. Not thread-safe.
class BinaryTensorReader {
 public:
  BinaryTensorReader(std::string_view datatype, std::string_view raw);

  /// False: there is no whole element here.
  bool next(TensorElement& out);
  /// Passes over so many. False: there are not so many.
  bool skip(std::uint64_t count);
  bool at_end() const { return raw_.empty(); }
  /// Whether it can hold so many and no more, as far as can be told without reading it.
  bool may_be(std::uint64_t count) const;

  struct Datatype;

 private:
  bool next_text(std::string_view& out);

  const Datatype* datatype_;  ///< nullptr: none that is known.
  std::string_view raw_;
};

}  // namespace backstay::gateway
