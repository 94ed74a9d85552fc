#include "scan/unpack.hpp"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace backstay::scan {

namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::uint64_t kDictionaryBytes = 256U << 20;  // What a stream may make liblzma allocate.

/// One of the libraries' streams behind the same few steps.
class Codec {
 public:
  enum class State : std::uint8_t { kMore, kEnd, kDamaged };
  virtual ~Codec() = default;
  virtual bool start() = 0;
  /// Consumes from the front of `in`, writes to the front of `out`; both are shortened by what was used.
  virtual State run(std::span<const std::byte>& in, std::span<std::byte>& out, bool last) = 0;
};

class ZlibCodec : public Codec {
 public:
  explicit ZlibCodec(int window_bits) : window_bits_(window_bits) {}
  ~ZlibCodec() override { inflateEnd(&stream_); }
  ZlibCodec(const ZlibCodec&) = delete;
  ZlibCodec& operator=(const ZlibCodec&) = delete;
  bool start() override {
    inflateEnd(&stream_);
    stream_ = {};
    return inflateInit2(&stream_, window_bits_) == Z_OK;
  }
  State run(std::span<const std::byte>& in, std::span<std::byte>& out, bool last) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int code = inflate(&stream_, Z_NO_FLUSH);
    const bool stuck = in.size() == stream_.avail_in && out.size() == stream_.avail_out;
    in = in.last(stream_.avail_in);
    out = out.last(stream_.avail_out);
    if (code == Z_STREAM_END) return State::kEnd;
    if (code == Z_OK || (code == Z_BUF_ERROR && !(stuck && last))) return State::kMore;
    return State::kDamaged;
  }

 private:
  const int window_bits_;
  z_stream stream_{};
};

class Bzip2Codec : public Codec {
 public:
  Bzip2Codec() = default;
  ~Bzip2Codec() override { BZ2_bzDecompressEnd(&stream_); }
  Bzip2Codec(const Bzip2Codec&) = delete;
  Bzip2Codec& operator=(const Bzip2Codec&) = delete;
  bool start() override {
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    return BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK;
  }
  State run(std::span<const std::byte>& in, std::span<std::byte>& out, bool last) override {
    stream_.next_in = reinterpret_cast<char*>(const_cast<std::byte*>(in.data()));
    stream_.avail_in = static_cast<unsigned>(in.size());
    stream_.next_out = reinterpret_cast<char*>(out.data());
    stream_.avail_out = static_cast<unsigned>(out.size());
    const int code = BZ2_bzDecompress(&stream_);
    const bool stuck = in.size() == stream_.avail_in && out.size() == stream_.avail_out;
    in = in.last(stream_.avail_in);
    out = out.last(stream_.avail_out);
    if (code == BZ_STREAM_END) return State::kEnd;
    return code == BZ_OK && !(stuck && last) ? State::kMore : State::kDamaged;
  }

 private:
  bz_stream stream_{};
};

class LzmaCodec : public Codec {
 public:
  explicit LzmaCodec(Packing packing) : packing_(packing) {}
  ~LzmaCodec() override { lzma_end(&stream_); }
  LzmaCodec(const LzmaCodec&) = delete;
  LzmaCodec& operator=(const LzmaCodec&) = delete;
  bool start() override {
    lzma_end(&stream_);
    stream_ = LZMA_STREAM_INIT;
    header_.clear();
    if (packing_ == Packing::kXz) return lzma_stream_decoder(&stream_, kDictionaryBytes, 0) == LZMA_OK;
    return lzma_alone_decoder(&stream_, kDictionaryBytes) == LZMA_OK;
  }
  State run(std::span<const std::byte>& in, std::span<std::byte>& out, bool last) override {
    if (packing_ == Packing::kZipLzma && !feed_zip_header(in)) return last ? State::kDamaged : State::kMore;
    if (bad_header_) return State::kDamaged;
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = out.size();
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    const bool stuck = in.size() == stream_.avail_in && out.size() == stream_.avail_out;
    in = in.last(stream_.avail_in);
    out = out.last(stream_.avail_out);
    if (code == LZMA_STREAM_END) return State::kEnd;
    if (code == LZMA_OK || code == LZMA_BUF_ERROR) {
      // A zip's stream may end without a mark of its end.
      if (stuck && last) return packing_ == Packing::kXz ? State::kDamaged : State::kEnd;
      return State::kMore;
    }
    return State::kDamaged;
  }

 private:
  /// Zip writes version (2 bytes) and size (2) before LZMA's 5 bytes of properties, and leaves out the length that
  /// the older format has: unknown, then.
  bool feed_zip_header(std::span<const std::byte>& in) {
    constexpr std::size_t kHeader = 9;
    if (header_.size() >= kHeader) return true;
    while (header_.size() < kHeader && !in.empty()) {
      header_.push_back(static_cast<std::uint8_t>(in.front()));
      in = in.subspan(1);
    }
    if (header_.size() < kHeader) return false;
    std::uint8_t alone[13];
    std::memcpy(alone, header_.data() + 4, 5);
    std::memset(alone + 5, 0xFF, 8);
    std::uint8_t nothing = 0;
    stream_.next_in = alone;
    stream_.avail_in = sizeof alone;
    stream_.next_out = &nothing;
    stream_.avail_out = 0;
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    bad_header_ = code != LZMA_OK && code != LZMA_BUF_ERROR;
    return true;
  }

  const Packing packing_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::vector<std::uint8_t> header_;
  bool bad_header_ = false;
};

std::unique_ptr<Codec> codec_of(Packing packing) {
  switch (packing) {
    case Packing::kDeflate: return std::make_unique<ZlibCodec>(-MAX_WBITS);
    case Packing::kZlib: return std::make_unique<ZlibCodec>(MAX_WBITS);
    case Packing::kGzip: return std::make_unique<ZlibCodec>(MAX_WBITS + 16);
    case Packing::kBzip2: return std::make_unique<Bzip2Codec>();
    case Packing::kXz:
    case Packing::kLzmaAlone:
    case Packing::kZipLzma: return std::make_unique<LzmaCodec>(packing);
  }
  return nullptr;
}

class CodecUnpacker : public Unpacker {
 public:
  CodecUnpacker(Packing packing, const ByteSource& packed)
      : packed_(packed),
        codec_(codec_of(packing)),
        repeats_(packing != Packing::kDeflate && packing != Packing::kZipLzma) {
    done_ = damaged_ = !codec_->start();
  }

  Result<std::size_t> read(std::span<std::byte> out) override {
    const std::size_t wanted = out.size();
    while (!out.empty() && !done_) {
      if (in_.empty()) TRY_DO(refill());
      const bool last = at_ >= packed_.size();
      if (fresh_ && in_.empty() && last && produced_) {
        done_ = true;
        break;
      }
      fresh_ = false;
      const Codec::State state = codec_->run(in_, out, last && in_.empty());
      produced_ = true;
      if (state == Codec::State::kMore) continue;
      if (state == Codec::State::kDamaged) damaged_ = done_ = true;
      if (state == Codec::State::kEnd) next_stream();
    }
    return wanted - out.size();
  }
  bool damaged() const override { return damaged_; }
  std::uint64_t consumed() const override { return at_ - in_.size(); }

 private:
  Result<void> refill() {
    buffer_.resize(kPieceBytes);
    TRY(const std::size_t got, packed_.read_at(at_, buffer_));
    at_ += got;
    in_ = std::span<const std::byte>(buffer_).first(got);
    return {};
  }
  void next_stream() {
    if (repeats_ && codec_->start()) {
      fresh_ = true;
    } else {
      done_ = true;
    }
  }

  const ByteSource& packed_;
  std::unique_ptr<Codec> codec_;
  const bool repeats_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> in_;
  std::uint64_t at_ = 0;
  bool fresh_ = false;  ///< A stream ended and nothing of the next was read.
  bool produced_ = false;
  bool done_ = false;
  bool damaged_ = false;
};

}  // namespace

std::unique_ptr<Unpacker> Unpacker::open(Packing packing, const ByteSource& packed) {
  return std::make_unique<CodecUnpacker>(packing, packed);
}

}  // namespace backstay::scan
