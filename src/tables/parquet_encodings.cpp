#include "tables/parquet_encodings.hpp"

#include <algorithm>
#include <cstring>

namespace backstay::tables {

void RawValues::clear() {
  integers.clear();
  doubles.clear();
  texts.clear();
  bytes.clear();
}

namespace {

constexpr std::size_t kMaxBytes = 256 * 1024 * 1024;  ///< Of texts that were put together in one step.
/// Of texts of a page that share beginnings: a few bytes can stand for a lot of them.
constexpr std::uint64_t kMaxPageBytes = 1024 * 1024 * 1024;

template <class Stored, class Value>
void copy_plain(std::string_view bytes, std::size_t count, std::vector<Value>& out) {
  out.resize(count);
  if constexpr (std::is_same_v<Stored, Value>) {
    if (count > 0) std::memcpy(out.data(), bytes.data(), count * sizeof(Value));
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
      out[i] = static_cast<Value>(value);
    }
  }
}

/// Bytes of a value of a fixed size; 0: it has none.
std::size_t fixed_size(ParquetType type, int width) {
  switch (type) {
    case ParquetType::kInt32:
    case ParquetType::kFloat: return 4;
    case ParquetType::kInt64:
    case ParquetType::kDouble: return 8;
    case ParquetType::kInt96: return 12;
    case ParquetType::kFixedBytes: return static_cast<std::size_t>(width);
    default: return 0;
  }
}

/// `bytes` holds `count` values of a fixed size, one after the other.
void read_fixed(ParquetType type, std::size_t size, std::string_view bytes, std::size_t count, RawValues& out) {
  switch (type) {
    case ParquetType::kInt32: return copy_plain<std::int32_t>(bytes, count, out.integers);
    case ParquetType::kInt64: return copy_plain<std::int64_t>(bytes, count, out.integers);
    case ParquetType::kFloat: return copy_plain<float>(bytes, count, out.doubles);
    case ParquetType::kDouble: return copy_plain<double>(bytes, count, out.doubles);
    default:
      out.texts.resize(count);
      for (std::size_t i = 0; i < count; ++i) out.texts[i] = bytes.substr(i * size, size);
  }
}

class FixedPlain : public ValueDecoder {
 public:
  FixedPlain(ParquetType type, std::size_t size, std::string_view bytes) : type_(type), size_(size), bytes_(bytes) {}
  bool read(std::size_t count, RawValues& out) override {
    if (count > bytes_.size() / size_) return false;
    read_fixed(type_, size_, bytes_, count, out);
    bytes_.remove_prefix(count * size_);
    return true;
  }

 private:
  ParquetType type_;
  std::size_t size_;
  std::string_view bytes_;
};

class TextPlain : public ValueDecoder {
 public:
  explicit TextPlain(std::string_view bytes) : bytes_(bytes) {}
  bool read(std::size_t count, RawValues& out) override {
    if (count > bytes_.size() / 4) return false;
    out.texts.resize(count);
    for (std::string_view& text : out.texts) {
      std::uint32_t size = 0;
      if (bytes_.size() < sizeof size) return false;
      std::memcpy(&size, bytes_.data(), sizeof size);
      if (size > bytes_.size() - sizeof size) return false;
      text = bytes_.substr(sizeof size, size);
      bytes_.remove_prefix(sizeof size + size);
    }
    return true;
  }

 private:
  std::string_view bytes_;
};

class BooleanPlain : public ValueDecoder {
 public:
  explicit BooleanPlain(std::string_view bytes) : bytes_(bytes) {}
  bool read(std::size_t count, RawValues& out) override {
    if (count > bytes_.size() * 8 - bit_) return false;
    out.integers.resize(count);
    for (std::int64_t& value : out.integers) {
      value = (static_cast<unsigned char>(bytes_[bit_ / 8]) >> (bit_ % 8)) & 1;
      ++bit_;
    }
    return true;
  }

 private:
  std::string_view bytes_;
  std::size_t bit_ = 0;
};

/// Length of four bytes, then runs of single bits.
class BooleanRuns : public ValueDecoder {
 public:
  explicit BooleanRuns(std::string_view bytes) : runs_(body(bytes), 1) {}
  bool read(std::size_t count, RawValues& out) override {
    bits_.resize(count);
    if (!runs_.read(bits_.data(), count)) return false;
    out.integers.assign(bits_.begin(), bits_.end());
    return true;
  }

 private:
  static std::string_view body(std::string_view bytes) {
    std::uint32_t size = 0;
    if (bytes.size() < sizeof size) return {};
    std::memcpy(&size, bytes.data(), sizeof size);
    return bytes.substr(sizeof size, size);
  }
  RunReader runs_;
  std::vector<std::uint8_t> bits_;
};

class DictionaryIndexes : public ValueDecoder {
 public:
  DictionaryIndexes(ParquetType type, std::string_view bytes, const RawValues& dictionary)
      : type_(type), dictionary_(dictionary), runs_(bytes.substr(bytes.empty() ? 0 : 1), bits(bytes)) {
    sound_ = !bytes.empty() && static_cast<unsigned char>(bytes[0]) <= 32;
  }
  bool read(std::size_t count, RawValues& out) override {
    if (count == 0) return true;
    indexes_.resize(count);
    if (!sound_ || !runs_.read(indexes_.data(), count)) return false;
    switch (type_) {
      case ParquetType::kInt32:
      case ParquetType::kInt64: return gather(dictionary_.integers, out.integers);
      case ParquetType::kFloat:
      case ParquetType::kDouble: return gather(dictionary_.doubles, out.doubles);
      default: return gather(dictionary_.texts, out.texts);
    }
  }

 private:
  static int bits(std::string_view bytes) {
    return bytes.empty() ? 0 : std::min(32, static_cast<int>(static_cast<unsigned char>(bytes[0])));
  }
  template <class Value>
  bool gather(const std::vector<Value>& from, std::vector<Value>& to) const {
    to.resize(indexes_.size());
    for (std::size_t i = 0; i < indexes_.size(); ++i) {
      if (indexes_[i] >= from.size()) return false;
      to[i] = from[indexes_[i]];
    }
    return true;
  }

  ParquetType type_;
  const RawValues& dictionary_;
  RunReader runs_;
  bool sound_ = false;
  std::vector<std::uint32_t> indexes_;
};

class DeltaIntegers : public ValueDecoder {
 public:
  DeltaIntegers(bool narrow, std::string_view bytes) : narrow_(narrow), deltas_(bytes) {}
  bool read(std::size_t count, RawValues& out) override {
    if (count > deltas_.left()) return false;
    out.integers.resize(count);
    if (!deltas_.read(out.integers.data(), count)) return false;
    // Differences of 32 bits wrap around in 32 bits.
    if (narrow_)
      for (std::int64_t& value : out.integers) value = static_cast<std::int32_t>(value);
    return true;
  }

 private:
  bool narrow_;
  DeltaReader deltas_;
};

/// All lengths, then all bytes (DELTA_LENGTH_BYTE_ARRAY).
class LengthsThenBytes {
 public:
  explicit LengthsThenBytes(std::string_view bytes) : lengths_(bytes), bytes_(after(bytes)) {}
  bool read(std::size_t count, std::vector<std::string_view>& out) {
    if (count > lengths_.left()) return false;
    sizes_.resize(count);
    out.resize(count);
    if (!lengths_.read(sizes_.data(), count)) return false;
    for (std::size_t i = 0; i < count; ++i) {
      if (sizes_[i] < 0 || static_cast<std::uint64_t>(sizes_[i]) > bytes_.size()) return false;
      out[i] = bytes_.substr(0, static_cast<std::size_t>(sizes_[i]));
      bytes_.remove_prefix(out[i].size());
    }
    return true;
  }

  /// What follows after differences, which have to be read for that.
  static std::string_view after(std::string_view bytes) {
    DeltaReader reader(bytes);
    std::int64_t piece[1024];
    while (reader.left() > 0)
      if (!reader.read(piece, static_cast<std::size_t>(std::min<std::uint64_t>(reader.left(), std::size(piece)))))
        return {};
    return reader.rest();
  }

 private:
  DeltaReader lengths_;
  std::string_view bytes_;
  std::vector<std::int64_t> sizes_;
};

class DeltaLengths : public ValueDecoder {
 public:
  explicit DeltaLengths(std::string_view bytes) : texts_(bytes) {}
  bool read(std::size_t count, RawValues& out) override { return texts_.read(count, out.texts); }

 private:
  LengthsThenBytes texts_;
};

/// Each value takes its beginning from the one before (DELTA_BYTE_ARRAY).
class DeltaPrefixes : public ValueDecoder {
 public:
  DeltaPrefixes(std::string_view bytes, std::size_t width)
      : prefixes_(bytes), suffixes_(LengthsThenBytes::after(bytes)), width_(width) {}
  bool read(std::size_t count, RawValues& out) override {
    out.bytes.clear();
    if (count > prefixes_.left()) return false;
    sizes_.resize(count);
    if (!prefixes_.read(sizes_.data(), count) || !suffixes_.read(count, parts_)) return false;
    std::vector<std::size_t> ends(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (sizes_[i] < 0 || static_cast<std::uint64_t>(sizes_[i]) > last_.size()) return false;
      last_.resize(static_cast<std::size_t>(sizes_[i]));
      last_ += parts_[i];
      if (width_ != 0 && last_.size() != width_) return false;
      made_ += last_.size();
      if (out.bytes.size() + last_.size() > kMaxBytes || made_ > kMaxPageBytes) return false;
      out.bytes += last_;
      ends[i] = out.bytes.size();
    }
    out.texts.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t begin = i == 0 ? 0 : ends[i - 1];
      out.texts[i] = std::string_view(out.bytes).substr(begin, ends[i] - begin);
    }
    return true;
  }

 private:
  DeltaReader prefixes_;
  LengthsThenBytes suffixes_;
  std::size_t width_;  ///< 0: any.
  std::vector<std::int64_t> sizes_;
  std::vector<std::string_view> parts_;
  std::string last_;
  std::uint64_t made_ = 0;
};

/// All first bytes, then all second bytes, ... (BYTE_STREAM_SPLIT).
class SplitStreams : public ValueDecoder {
 public:
  SplitStreams(ParquetType type, std::size_t size, std::string_view bytes)
      : type_(type), size_(size), bytes_(bytes), values_(bytes.size() / size) {}
  bool read(std::size_t count, RawValues& out) override {
    if (count > values_ - at_ || bytes_.size() % size_ != 0 || count * size_ > kMaxBytes) return false;
    out.bytes.resize(count * size_);
    for (std::size_t stream = 0; stream < size_; ++stream) {
      const char* from = bytes_.data() + stream * values_ + at_;
      for (std::size_t i = 0; i < count; ++i) out.bytes[i * size_ + stream] = from[i];
    }
    at_ += count;
    read_fixed(type_, size_, out.bytes, count, out);
    return true;
  }

 private:
  ParquetType type_;
  std::size_t size_;
  std::string_view bytes_;
  std::size_t values_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<ValueDecoder> make_decoder(ParquetEncoding encoding, ParquetType type, int width,
                                           std::string_view bytes, const RawValues* dictionary) {
  const std::size_t size = fixed_size(type, width);
  const bool is_boolean = type == ParquetType::kBoolean;
  const bool is_integer = type == ParquetType::kInt32 || type == ParquetType::kInt64;
  const bool is_text = type == ParquetType::kByteArray;
  switch (encoding) {
    case ParquetEncoding::kPlain:
      if (is_boolean) return std::make_unique<BooleanPlain>(bytes);
      if (is_text) return std::make_unique<TextPlain>(bytes);
      return std::make_unique<FixedPlain>(type, size, bytes);
    case ParquetEncoding::kRle:
      if (is_boolean) return std::make_unique<BooleanRuns>(bytes);
      break;
    case ParquetEncoding::kPlainDictionary:
    case ParquetEncoding::kRleDictionary:
      if (!is_boolean && dictionary != nullptr) return std::make_unique<DictionaryIndexes>(type, bytes, *dictionary);
      break;
    case ParquetEncoding::kDeltaBinaryPacked:
      if (is_integer) return std::make_unique<DeltaIntegers>(type == ParquetType::kInt32, bytes);
      break;
    case ParquetEncoding::kDeltaLengthByteArray:
      if (is_text) return std::make_unique<DeltaLengths>(bytes);
      break;
    case ParquetEncoding::kDeltaByteArray:
      if (is_text || type == ParquetType::kFixedBytes) return std::make_unique<DeltaPrefixes>(bytes, size);
      break;
    case ParquetEncoding::kByteStreamSplit:
      if (size > 0 && type != ParquetType::kInt96) return std::make_unique<SplitStreams>(type, size, bytes);
      break;
    case ParquetEncoding::kBitPacked: break;
  }
  return nullptr;
}

}  // namespace backstay::tables
