#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace backstay::tables {

/// How a piece of a table is compressed. Values are those of Parquet's CompressionCodec, but for kLz4Frame.
enum class Codec {
  kNone = 0,
  kSnappy = 1,
  kGzip = 2,
  kLzo = 3,
  kBrotli = 4,
  kLz4Hadoop = 5,  ///< Blocks with two sizes in front, as Hadoop writes; or one bare block.
  kZstd = 6,
  kLz4Raw = 7,
  kLz4Frame = 100  ///< Arrow's.
};

/// "snappy", or "codec 42".
std::string to_string(Codec codec);

/// Whether there is a decompressor.
bool is_known(Codec codec);

/// Puts exactly `size` bytes into `out`. Hostile bytes give an error text, and memory for more than is there, or than
/// the codec can make of so few bytes, is never taken: codecs without such a bound are unpacked piece by piece.
/// An empty text when all went well.
std::string decompress(Codec codec, std::string_view packed, std::size_t size, std::string& out);

/// Unpacks gzip, all of its members, or zlib's format (HTTP's "deflate", RFC 9110, 8.4.1.2) of a size that nobody
/// knows, to the front of `room`. Nothing when it is damaged, cut short, or would be more than `most` bytes: no more
/// are ever made. `room` is not cleared and keeps its memory for the next one.
std::optional<std::string_view> inflate_up_to(std::string_view packed, std::size_t most, std::string& room);

}  // namespace backstay::tables
