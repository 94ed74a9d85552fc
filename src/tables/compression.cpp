#include "tables/compression.hpp"

#include <brotli/decode.h>
#include <fmt/format.h>
#include <lz4.h>
#include <lz4frame.h>
#include <snappy-c.h>
#define ZLIB_CONST  // It takes bytes that it may not change.
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <memory>

namespace backstay::tables {

namespace {

constexpr std::size_t kFirstPiece = 256 * 1024;
constexpr const char* kDamaged = "compressed bytes are damaged";
constexpr const char* kWrongSize = "compressed bytes are not of the size that is announced";

/// More of `out` to write into, at most up to `size`: doubled, so that memory follows what was really unpacked.
void grow(std::string& out, std::size_t size) {
  out.resize(std::min(size, std::max(kFirstPiece, out.size() * 2)));
}

// Snappy copies at most 64 bytes by a tag of three.
std::string unpack_snappy(std::string_view packed, std::size_t size, std::string& out) {
  std::size_t length = 0;
  if (snappy_uncompressed_length(packed.data(), packed.size(), &length) != SNAPPY_OK) return kDamaged;
  if (length != size || size / 32 > packed.size()) return kWrongSize;
  out.resize(size);
  return snappy_uncompress(packed.data(), packed.size(), out.data(), &length) == SNAPPY_OK ? "" : kDamaged;
}

// A byte of a length stands for at most 255 bytes.
std::string unpack_lz4(std::string_view packed, std::size_t size, char* out) {
  if (packed.size() > INT_MAX || size > INT_MAX) return kDamaged;
  const int got = LZ4_decompress_safe(packed.data(), out, static_cast<int>(packed.size()), static_cast<int>(size));
  if (got < 0) return kDamaged;
  return static_cast<std::size_t>(got) == size ? "" : kWrongSize;
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) out = (out << 8) | static_cast<unsigned char>(bytes[i]);
  return out;
}

bool unpack_hadoop(std::string_view packed, std::size_t size, std::string& out) {
  std::size_t done = 0;
  while (packed.size() >= 8) {
    const std::uint32_t whole = big_endian(packed);
    const std::uint32_t part = big_endian(packed.substr(4));
    packed.remove_prefix(8);
    if (part > packed.size() || whole > size - done) return false;
    if (!unpack_lz4(packed.substr(0, part), whole, out.data() + done).empty()) return false;
    packed.remove_prefix(part);
    done += whole;
  }
  return packed.empty() && done == size;
}

std::string unpack_lz4_block(std::string_view packed, std::size_t size, bool hadoop, std::string& out) {
  if (size / 256 > packed.size()) return kWrongSize;
  out.resize(size);
  if (hadoop && unpack_hadoop(packed, size, out)) return "";
  return unpack_lz4(packed, size, out.data());
}

/// To the front of `out`, at most `most` bytes; `done`: how many. What went wrong, or nothing.
std::string inflate_into(std::string_view packed, std::size_t most, std::string& out, std::size_t& done) {
  if (packed.size() > UINT_MAX || most >= UINT_MAX) return kDamaged;
  z_stream stream{};
  // 32: with gzip's head or zlib's, whichever is there.
  if (inflateInit2(&stream, 15 + 32) != Z_OK) return "there is no memory to unpack gzip";
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ends(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<const Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  done = 0;
  while (true) {
    if (done == out.size()) grow(out, most + 1);  // One more, so that the end can be told from too much.
    const std::size_t end = std::min(out.size(), most + 1);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    stream.avail_out = static_cast<uInt>(end - done);
    const int state = inflate(&stream, Z_NO_FLUSH);
    done = end - stream.avail_out;
    if (state == Z_STREAM_END && stream.avail_in > 0 && done < most) {
      if (inflateReset(&stream) != Z_OK) return kDamaged;  // Another member follows.
      continue;
    }
    if (state == Z_STREAM_END) break;
    if (state != Z_OK) return kDamaged;
    if (done > most) return kWrongSize;
  }
  return done <= most && stream.avail_in == 0 ? "" : kWrongSize;
}

std::string unpack_gzip(std::string_view packed, std::size_t size, std::string& out) {
  std::size_t done = 0;
  const std::string problem = inflate_into(packed, size, out, done);
  out.resize(std::min(done, size));
  return problem.empty() && done != size ? kWrongSize : problem;
}

std::string unpack_zstd(std::string_view packed, std::size_t size, std::string& out) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27)) != 0)
    return "there is no memory to unpack zstd";
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t done = 0;
  std::size_t left = 1;
  while (left != 0 || in.pos < in.size) {
    if (done == out.size()) grow(out, size);
    ZSTD_outBuffer to{out.data(), out.size(), done};
    const std::size_t read = in.pos;
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left) != 0) return kDamaged;
    if (to.pos == done && in.pos == read) return kWrongSize;  // It wants more of what there is none of.
    done = to.pos;
  }
  return done == size ? "" : kWrongSize;
}

std::string unpack_brotli(std::string_view packed, std::size_t size, std::string& out) {
  const std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
  if (!state) return "there is no memory to unpack brotli";
  const auto* next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  std::size_t left_in = packed.size();
  std::size_t done = 0;
  while (true) {
    if (done == out.size()) grow(out, size);
    auto* next_out = reinterpret_cast<std::uint8_t*>(out.data() + done);
    std::size_t left_out = out.size() - done;
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state.get(), &left_in, &next_in, &left_out, &next_out, nullptr);
    done = out.size() - left_out;
    if (result == BROTLI_DECODER_RESULT_SUCCESS) return done == size && left_in == 0 ? "" : kWrongSize;
    if (result != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) return kDamaged;
    if (done == size) return kWrongSize;
  }
}

std::string unpack_lz4_frame(std::string_view packed, std::size_t size, std::string& out) {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)) != 0)
    return "there is no memory to unpack lz4";
  const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(made, LZ4F_freeDecompressionContext);
  std::size_t at = 0;
  std::size_t done = 0;
  std::size_t left = 1;
  while (left != 0) {
    if (done == out.size()) grow(out, size);
    std::size_t wrote = out.size() - done;
    std::size_t read = packed.size() - at;
    left = LZ4F_decompress(context.get(), out.data() + done, &wrote, packed.data() + at, &read, nullptr);
    if (LZ4F_isError(left) != 0) return kDamaged;
    if (wrote == 0 && read == 0) return kWrongSize;
    done += wrote;
    at += read;
  }
  return done == size && at == packed.size() ? "" : kWrongSize;
}

}  // namespace

std::string to_string(Codec codec) {
  switch (codec) {
    case Codec::kNone: return "none";
    case Codec::kSnappy: return "snappy";
    case Codec::kGzip: return "gzip";
    case Codec::kLzo: return "LZO";
    case Codec::kBrotli: return "brotli";
    case Codec::kLz4Hadoop:
    case Codec::kLz4Raw:
    case Codec::kLz4Frame: return "lz4";
    case Codec::kZstd: return "zstd";
  }
  return fmt::format("codec {}", static_cast<int>(codec));
}

bool is_known(Codec codec) {
  switch (codec) {
    case Codec::kNone:
    case Codec::kSnappy:
    case Codec::kGzip:
    case Codec::kBrotli:
    case Codec::kLz4Hadoop:
    case Codec::kZstd:
    case Codec::kLz4Raw:
    case Codec::kLz4Frame: return true;
    case Codec::kLzo: return false;
  }
  return false;
}

std::string decompress(Codec codec, std::string_view packed, std::size_t size, std::string& out) {
  out.clear();
  // Nothing is nothing, however it is packed; some writers put no byte for it.
  if (size == 0 && packed.empty()) return "";
  switch (codec) {
    case Codec::kNone:
      if (packed.size() != size) return kWrongSize;
      out.assign(packed);
      return "";
    case Codec::kSnappy: return unpack_snappy(packed, size, out);
    case Codec::kGzip: return unpack_gzip(packed, size, out);
    case Codec::kBrotli: return unpack_brotli(packed, size, out);
    case Codec::kZstd: return unpack_zstd(packed, size, out);
    case Codec::kLz4Hadoop: return unpack_lz4_block(packed, size, true, out);
    case Codec::kLz4Raw: return unpack_lz4_block(packed, size, false, out);
    case Codec::kLz4Frame: return unpack_lz4_frame(packed, size, out);
    case Codec::kLzo: break;
  }
  return fmt::format("{} can't be unpacked", to_string(codec));
}

std::optional<std::string_view> inflate_up_to(std::string_view packed, std::size_t most, std::string& room) {
  std::size_t done = 0;
  if (!inflate_into(packed, most, room, done).empty()) return std::nullopt;
  return std::string_view(room).substr(0, done);
}

}  // namespace backstay::tables
