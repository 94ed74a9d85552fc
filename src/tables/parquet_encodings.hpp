#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tables/parquet_layout.hpp"

/// Encodings of values in Parquet's pages (parquet-format, Encodings.md), from hostile bytes. Reading gives false when
/// there are too few bytes or they say what can't be; nothing is allocated by what they announce.
namespace backstay::tables {

enum class ParquetEncoding {
  kPlain = 0,
  kPlainDictionary = 2,
  kRle = 3,
  kBitPacked = 4,
  kDeltaBinaryPacked = 5,
  kDeltaLengthByteArray = 6,
  kDeltaByteArray = 7,
  kRleDictionary = 8,
  kByteStreamSplit = 9
};

/// Values as they lie in pages: one of the vectors is filled, by the physical type.
struct RawValues {
  std::vector<std::int64_t> integers;   ///< kBoolean, kInt32, kInt64
  std::vector<double> doubles;          ///< kFloat, kDouble
  std::vector<std::string_view> texts;  ///< kByteArray, kFixedBytes and kInt96: into the page or `bytes`.
  std::string bytes;                    ///< What texts were put together in, where they don't lie in one piece.
  void clear();
};

/// Runs of one value and groups of packed ones (RLE / bit-packing hybrid); `bits` of 0 to 32 each.
class RunReader {
 public:
  RunReader(std::string_view bytes, int bits) : bytes_(bytes), bits_(bits) {}
  template <class Value>
  bool read(Value* out, std::size_t count);

 private:
  bool next_run();

  std::string_view bytes_;
  int bits_;
  std::uint64_t repeated_ = 0;  ///< How often `value_` still comes.
  std::uint64_t packed_ = 0;    ///< How many packed values are left.
  std::uint32_t value_ = 0;
  std::string_view group_;  ///< Of packed values.
  std::uint64_t bit_ = 0;   ///< The next one's place in it.
};

/// Differences in blocks, each with its own width (DELTA_BINARY_PACKED).
class DeltaReader {
 public:
  explicit DeltaReader(std::string_view bytes);
  bool read(std::int64_t* out, std::size_t count);
  std::uint64_t left() const { return left_; }
  /// What follows after the last value; to be asked when all were read.
  std::string_view rest() const { return bytes_; }

 private:
  bool next_miniblock();

  std::string_view bytes_;
  std::uint64_t left_ = 0;
  std::uint64_t value_ = 0;
  bool first_ = true;
  std::uint64_t per_block_ = 0;
  std::uint64_t per_miniblock_ = 0;
  std::uint64_t least_ = 0;
  std::string_view widths_;  ///< Of the block's miniblocks that were not begun.
  std::string_view body_;
  unsigned width_ = 0;
  std::uint64_t in_miniblock_ = 0;
  std::uint64_t bit_ = 0;
};

/// Gives the values of a page one after the other.
class ValueDecoder {
 public:
  virtual ~ValueDecoder() = default;
  /// Replaces what is in `out` by the next `count` values.
  virtual bool read(std::size_t count, RawValues& out) = 0;
};

/// Null when the encoding does not go with the type. `bytes` and `dictionary` must outlive the decoder; `dictionary`
/// is null when there is none. `width` is that of kFixedBytes.
std::unique_ptr<ValueDecoder> make_decoder(ParquetEncoding encoding, ParquetType type, int width,
                                           std::string_view bytes, const RawValues* dictionary);

}  // namespace backstay::tables
