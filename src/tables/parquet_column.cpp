#include "tables/parquet_column.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "tables/thrift_reader.hpp"
#include "tables/value_text.hpp"

namespace backstay::tables {

namespace {

using T = ThriftType;
enum PageType { kDataPage = 0, kIndexPage = 1, kDictionaryPage = 2, kDataPageV2 = 3 };

}  // namespace

/// parquet.thrift, PageHeader.
struct ParquetColumn::PageHead {
  int type = -1;
  std::int64_t plain_bytes = -1;
  std::int64_t packed_bytes = -1;
  std::optional<std::uint32_t> crc;
  std::int64_t values = -1;
  int encoding = -1;
  int level_encoding = static_cast<int>(ParquetEncoding::kRle);
  int repetition_encoding = static_cast<int>(ParquetEncoding::kRle);
  std::int64_t level_bytes = 0;  ///< Version 2: not compressed, in front of the values.
  std::int64_t repetition_bytes = 0;
  bool compressed = true;

  void read(ThriftReader& in) {
    in.fields([&](int id, T kind) {
      switch (id) {
        case 1: type = static_cast<int>(in.integer(kind)); break;
        case 2: plain_bytes = in.integer(kind); break;
        case 3: packed_bytes = in.integer(kind); break;
        case 4: crc = static_cast<std::uint32_t>(in.integer(kind)); break;
        case 5:
        case 7:
        case 8:
          if (kind == T::kStruct) {
            read_data(in, id == 8);
            break;
          }
          [[fallthrough]];
        default: in.skip(kind);
      }
    });
  }

 private:
  void read_data(ThriftReader& in, bool version_2) {
    in.fields([&](int id, T kind) {
      if (id == 1) {
        values = in.integer(kind);
      } else if (id == (version_2 ? 4 : 2)) {
        encoding = static_cast<int>(in.integer(kind));
      } else if (id == 3 && !version_2 && kind == T::kI32) {  // Of a dictionary it tells whether it is sorted.
        level_encoding = static_cast<int>(in.integer(kind));
      } else if (id == 4 && !version_2 && kind == T::kI32) {
        repetition_encoding = static_cast<int>(in.integer(kind));
      } else if (id == 5 && version_2) {
        level_bytes = in.integer(kind);
      } else if (id == 6 && version_2) {
        repetition_bytes = in.integer(kind);
      } else {
        if (id == 7 && version_2) compressed = kind != T::kFalse;
        in.skip(kind);
      }
    });
  }
};

ParquetColumn::ParquetColumn(ByteSource& source, std::string file, const ParquetLayout::Column& column,
                             PageBudget& budget)
    : source_(source), file_(std::move(file)), column_(column), budget_(budget) {}

ParquetColumn::~ParquetColumn() {
  budget_.held -= held_;
}

Unexpected ParquetColumn::broken(const std::string& what) const {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{}, column '{}': {}.", file_, column_.info.name, what),
                    "Write the table again.");
}

Result<void> ParquetColumn::hold() {
  budget_.held -= held_;
  held_ = ahead_.capacity() + packed_.capacity() + page_.capacity() + dictionary_page_.capacity();
  held_ += dictionary_.texts.capacity() * sizeof(std::string_view) + dictionary_.doubles.capacity() * sizeof(double) +
           dictionary_.integers.capacity() * sizeof(std::int64_t);
  budget_.held += held_;
  if (budget_.held > PageBudget::kMaxBytes)
    return Unexpected(ErrorCode::kResourceExhausted,
                      fmt::format("The pages of {}, one of each column, take more than 1 GiB.", file_),
                      "Read fewer columns, or write the table with smaller pages.");
  return {};
}

Result<void> ParquetColumn::open(const ParquetLayout::Chunk& chunk) {
  if (chunk.encrypted)
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{}, column '{}' is encrypted.", file_, column_.info.name),
                      "Read other columns, or write the table without encryption.");
  if (!is_known(chunk.codec))
    return Unexpected(
        ErrorCode::kUnsupported,
        fmt::format("{}, column '{}' is compressed with {}.", file_, column_.info.name, to_string(chunk.codec)),
        "Write it with snappy, zstd, gzip, lz4 or brotli.");
  chunk_ = chunk;
  at_ = chunk.begin;
  values_ = 0;
  left_ = 0;
  ahead_.clear();
  has_dictionary_ = false;
  dictionary_.clear();
  decoder_.reset();
  return {};
}

Result<ParquetColumn::PageHead> ParquetColumn::read_head() {
  constexpr std::size_t kFirstBytes = 64 * 1024;
  constexpr std::size_t kMaxHeadBytes = 16 * 1024 * 1024;  // Statistics are in it.
  for (std::size_t want = kFirstBytes; want <= kMaxHeadBytes; want *= 16) {
    const std::uint64_t rest = chunk_.end - at_;
    if (ahead_.size() < std::min<std::uint64_t>(want, rest) && (ahead_.size() < 256 || want > kFirstBytes)) {
      ahead_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(want, rest)));
      TRY_DO(source_.read(at_, ahead_));
    }
    ThriftReader in(ahead_);
    PageHead head;
    head.read(in);
    if (in.ok()) {
      const std::size_t size = ahead_.size() - in.left();
      ahead_.erase(0, size);
      at_ += size;
      return head;
    }
    if (ahead_.size() >= rest) break;
  }
  return broken("the head of a page can't be read");
}

Result<void> ParquetColumn::read_body(const PageHead& head) {
  if (head.packed_bytes < 0 || head.plain_bytes < 0 || std::cmp_greater(head.packed_bytes, chunk_.end - at_))
    return broken("a page is larger than its column");
  if (std::cmp_greater(std::max(head.plain_bytes, head.packed_bytes), kMaxPageBytes))
    return Unexpected(ErrorCode::kResourceExhausted,
                      fmt::format("{}, column '{}' has a page of more than 256 MiB.", file_, column_.info.name),
                      "Write the table with smaller pages or row groups.");
  const auto size = static_cast<std::size_t>(head.packed_bytes);
  const std::size_t there = std::min(size, ahead_.size());
  packed_.assign(ahead_, 0, there);
  ahead_.erase(0, there);
  // Sizes are of bytes that the file has, as was checked when it was opened.
  packed_.resize(size);
  if (size > there) TRY_DO(source_.read(at_ + there, std::span(packed_).subspan(there)));
  at_ += size;
  if (head.crc) {
    const uLong found = crc32_z(0, reinterpret_cast<const Bytef*>(packed_.data()), packed_.size());
    if (found != *head.crc) return broken("a page's checksum is not that of its bytes");
  }
  return {};
}

/// Puts the page's bytes into page_; the first `plain` of them are not compressed.
Result<void> ParquetColumn::unpack(const PageHead& head, std::size_t plain) {
  const auto size = static_cast<std::size_t>(head.plain_bytes);
  if (plain > packed_.size() || plain > size) return broken("a page's levels are larger than the page");
  if (chunk_.codec == Codec::kNone || !head.compressed) {
    if (size != packed_.size()) return broken("a page is not of the size that its head tells");
    page_.swap(packed_);
    return {};
  }
  const std::string problem = decompress(chunk_.codec, std::string_view(packed_).substr(plain), size - plain, page_);
  if (!problem.empty()) return broken(fmt::format("{} ({})", problem, to_string(chunk_.codec)));
  if (plain > 0) page_.insert(0, packed_, 0, plain);
  return {};
}

Result<void> ParquetColumn::take_dictionary(const PageHead& head) {
  if (has_dictionary_ || values_ > 0) return broken("a dictionary stands where there should be none");
  if (head.values < 0 || std::cmp_greater(head.values, kMaxPageBytes)) return broken("its dictionary can't be read");
  TRY_DO(unpack(head, 0));
  dictionary_page_.swap(page_);
  // PLAIN_DICTIONARY is what old writers call PLAIN here.
  const bool is_plain = head.encoding == static_cast<int>(ParquetEncoding::kPlain) ||
                        head.encoding == static_cast<int>(ParquetEncoding::kPlainDictionary);
  const auto decoder = make_decoder(ParquetEncoding::kPlain, column_.type, column_.width, dictionary_page_, nullptr);
  if (!is_plain || !decoder || !decoder->read(static_cast<std::size_t>(head.values), dictionary_))
    return broken("its dictionary can't be read");
  TRY_DO(check_texts(dictionary_.texts));
  has_dictionary_ = true;
  return {};
}

/// Takes what says which values are missing, and where rows begin, off a page's begin.
Result<void> ParquetColumn::take_levels(const PageHead& head, std::string_view& bytes) {
  const bool version_2 = head.type == kDataPageV2;
  const int most = column_.list ? column_.list->value : column_.optional ? 1 : 0;
  const auto take = [&](std::int64_t size, int highest, std::optional<RunReader>& out) -> Result<void> {
    out.reset();
    if (!version_2 && highest == 0) return {};
    if (!version_2) {
      std::uint32_t announced = 0;
      if (bytes.size() < sizeof announced) return broken("a page is too short");
      std::memcpy(&announced, bytes.data(), sizeof announced);
      bytes.remove_prefix(sizeof announced);
      size = announced;
    }
    if (std::cmp_greater(size, bytes.size())) return broken("a page's levels are larger than the page");
    if (highest > 0)
      out.emplace(bytes.substr(0, static_cast<std::size_t>(size)), std::bit_width(static_cast<unsigned>(highest)));
    bytes.remove_prefix(static_cast<std::size_t>(size));
    return {};
  };
  constexpr int kRle = static_cast<int>(ParquetEncoding::kRle);
  const bool known = head.level_encoding == kRle && (!column_.list || head.repetition_encoding == kRle);
  if (!version_2 && most > 0 && !known)
    return Unexpected(
        ErrorCode::kUnsupported,
        fmt::format("{}, column '{}' has levels in encoding {}.", file_, column_.info.name, head.level_encoding),
        "Write the table again with a newer program.");
  TRY_DO(take(head.repetition_bytes, column_.list ? 1 : 0, repeats_));
  return take(head.level_bytes, most, levels_);
}

Result<void> ParquetColumn::take_data(const PageHead& head) {
  if (head.values < 0 || std::cmp_greater(head.values, chunk_.values - values_))
    return broken("its pages have more values than its row group has rows");
  const bool version_2 = head.type == kDataPageV2;
  if ((head.repetition_bytes != 0 && !column_.list) || head.level_bytes < 0 || head.repetition_bytes < 0)
    return broken("it is repeated, which its schema denies");
  if (std::max(head.level_bytes, head.repetition_bytes) > std::int64_t{kMaxPageBytes})
    return broken("a page's levels are larger than the page");
  TRY_DO(unpack(head, version_2 ? static_cast<std::size_t>(head.repetition_bytes + head.level_bytes) : 0));
  std::string_view bytes = page_;
  TRY_DO(take_levels(head, bytes));
  decoder_ = make_decoder(static_cast<ParquetEncoding>(head.encoding), column_.type, column_.width, bytes,
                          has_dictionary_ ? &dictionary_ : nullptr);
  if (!decoder_)
    return Unexpected(
        ErrorCode::kUnsupported,
        fmt::format("{}, column '{}' has a page in encoding {}, which does not go with {} or lacks a dictionary.",
                    file_, column_.info.name, head.encoding, column_.info.stored),
        "Write the table again, plain or with a dictionary.");
  from_dictionary_ = head.encoding == static_cast<int>(ParquetEncoding::kPlainDictionary) ||
                     head.encoding == static_cast<int>(ParquetEncoding::kRleDictionary);
  left_ = static_cast<std::size_t>(head.values);
  values_ += left_;
  return {};
}

Result<void> ParquetColumn::next_page() {
  if (at_ >= chunk_.end) return broken("it has fewer values than its row group has rows");
  TRY(const PageHead head, read_head());
  TRY_DO(read_body(head));
  switch (head.type) {
    case kDictionaryPage: TRY_DO(take_dictionary(head)); break;
    case kDataPage:
    case kDataPageV2: TRY_DO(take_data(head)); break;
    default: break;  // Others are for readers that know them.
  }
  return hold();
}

Result<std::size_t> ParquetColumn::available() {
  while (left_ == 0) TRY_DO(next_page());
  return left_;
}

Result<void> ParquetColumn::check_texts(const std::vector<std::string_view>& texts) const {
  const bool is_text = column_.info.type == ColumnType::kText && column_.type == ParquetType::kByteArray &&
                       column_.form.as == ValueForm::As::kPlain;
  if (!is_text) return {};
  for (const std::string_view text : texts)
    if (!is_utf8(text)) return broken("a text is not UTF-8");
  return {};
}

template <class Value>
void ParquetColumn::spread(std::vector<Value>& from, std::vector<Value>& to, const ColumnValues& out) const {
  if (out.present.empty()) {
    to.swap(from);
    return;
  }
  to.resize(out.rows);
  std::size_t next = 0;
  for (std::size_t row = 0; row < out.rows; ++row) to[row] = out.present[row] != 0 ? from[next++] : Value{};
}

Result<void> ParquetColumn::read(std::size_t rows, ColumnValues& out) {
  out.type = column_.info.type;
  out.form = column_.form;
  out.rows = rows;
  out.present.clear();
  out.cells.clear();
  std::size_t count = rows;
  if (levels_) {
    out.present.resize(rows);
    if (!levels_->read(out.present.data(), rows)) return broken("a page has too few levels, or such that can not be");
    count = static_cast<std::size_t>(std::count(out.present.begin(), out.present.end(), std::uint8_t{1}));
    if (count == rows) out.present.clear();
  }
  raw_.clear();
  if (!decoder_->read(count, raw_)) return broken("a page's values can't be read");
  left_ -= rows;
  // Those of a dictionary were checked with it; checking again would be most of the work.
  if (!from_dictionary_) TRY_DO(check_texts(raw_.texts));
  return convert(out);
}

Result<void> ParquetColumn::read_entries(std::size_t entries, std::vector<std::uint8_t>& repeats,
                                         std::vector<std::uint8_t>& levels, std::vector<double>& numbers) {
  repeats.resize(entries);
  levels.resize(entries);
  const auto most = static_cast<std::uint8_t>(column_.list->value);
  if (!repeats_ || !repeats_->read(repeats.data(), entries) || !levels_ || !levels_->read(levels.data(), entries) ||
      std::any_of(levels.begin(), levels.end(), [&](std::uint8_t level) { return level > most; }))
    return broken("a page has too few levels, or such that can not be");
  raw_.clear();
  const auto count = static_cast<std::size_t>(std::count(levels.begin(), levels.end(), most));
  if (!decoder_->read(count, raw_)) return broken("a page's values can't be read");
  left_ -= entries;
  convert_numbers();
  const bool whole = column_.type == ParquetType::kInt32 || column_.type == ParquetType::kInt64;
  if (whole) {
    numbers.assign(raw_.integers.begin(), raw_.integers.end());
  } else {
    numbers.swap(raw_.doubles);
  }
  return numbers.size() == count ? Result<void>() : broken("a page's values can't be read");
}

/// What lists may have, too.
void ParquetColumn::convert_numbers() {
  using Convert = ParquetLayout::Convert;
  if (column_.convert == Convert::kUnsigned) {
    const std::uint64_t mask = (std::uint64_t{1} << column_.width) - 1;
    for (std::int64_t& value : raw_.integers)
      value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) & mask);
  } else if (column_.convert == Convert::kHalf) {
    for (const std::string_view text : raw_.texts) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, text.data(), sizeof bits);
      raw_.doubles.push_back(half_to_double(bits));
    }
  }
}

Result<void> ParquetColumn::convert(ColumnValues& out) {
  using Convert = ParquetLayout::Convert;
  convert_numbers();
  if (column_.convert == Convert::kInt96) {
    // Nanoseconds of a day, then the Julian day.
    constexpr std::int64_t kEpoch = 2440588;
    for (const std::string_view text : raw_.texts) {
      std::int64_t nanoseconds = 0;
      std::int32_t day = 0;
      std::memcpy(&nanoseconds, text.data(), sizeof nanoseconds);
      std::memcpy(&day, text.data() + sizeof nanoseconds, sizeof day);
      std::int64_t ticks = 0;
      if (__builtin_mul_overflow(day - kEpoch, std::int64_t{86'400'000'000'000}, &ticks) ||
          __builtin_add_overflow(ticks, nanoseconds, &ticks))
        return broken("a timestamp of 96 bits lies before 1678 or after 2261");
      raw_.integers.push_back(ticks);
    }
  } else if (column_.convert == Convert::kShortDecimal) {
    for (const std::string_view text : raw_.texts) {
      if (text.empty() || text.size() > 32) return broken("a decimal has no digits, or too many");
      // What is above the last eight bytes may only be the sign.
      const bool negative = (static_cast<unsigned char>(text[0]) & 0x80) != 0;
      std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
      for (const char c : text) {
        if ((value >> 56) != (negative ? 0xff : 0)) return broken("a decimal has more digits than its type");
        value = (value << 8) | static_cast<unsigned char>(c);
      }
      if ((static_cast<std::int64_t>(value) < 0) != negative) return broken("a decimal has more digits than its type");
      raw_.integers.push_back(static_cast<std::int64_t>(value));
    }
  } else if (column_.convert == Convert::kLongDecimal || column_.convert == Convert::kUuid) {
    arena_.clear();
    std::vector<std::size_t> ends;
    ends.reserve(raw_.texts.size());
    for (const std::string_view text : raw_.texts) {
      if (text.empty() || text.size() > 32) return broken("a decimal has no digits, or too many");
      if (column_.convert == Convert::kUuid) {
        append_uuid(arena_, text);
      } else {
        append_decimal(arena_, text, column_.form.scale);
      }
      ends.push_back(arena_.size());
    }
    for (std::size_t i = 0; i < ends.size(); ++i) {
      const std::size_t begin = i == 0 ? 0 : ends[i - 1];
      raw_.texts[i] = std::string_view(arena_).substr(begin, ends[i] - begin);
    }
  }
  if (column_.type == ParquetType::kBoolean || column_.type == ParquetType::kInt32 ||
      column_.type == ParquetType::kInt64 || column_.convert == Convert::kInt96 ||
      column_.convert == Convert::kShortDecimal) {
    out.kept = ColumnValues::Kept::kIntegers;
    spread(raw_.integers, out.integers, out);
  } else if (column_.type == ParquetType::kFloat || column_.type == ParquetType::kDouble ||
             column_.convert == Convert::kHalf) {
    out.kept = ColumnValues::Kept::kDoubles;
    spread(raw_.doubles, out.doubles, out);
  } else {
    out.kept = ColumnValues::Kept::kTexts;
    spread(raw_.texts, out.texts, out);
  }
  return {};
}

}  // namespace backstay::tables
