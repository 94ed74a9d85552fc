#include "tables/arrow_column.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/text.hpp"
#include "tables/value_text.hpp"

namespace backstay::tables {

namespace {

Unexpected too_large(const std::string& what) {
  return Unexpected(ErrorCode::kResourceExhausted, what,
                    "Write it with smaller record batches (max_chunksize in pyarrow), or read fewer columns.");
}

template <class Value>
Value read_at(std::string_view bytes, std::size_t index) {
  Value value;
  std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
  return value;
}

template <class Stored>
void copy_integers(std::string_view bytes, std::size_t rows, std::vector<std::int64_t>& out) {
  out.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) out[i] = static_cast<std::int64_t>(read_at<Stored>(bytes, i));
}

}  // namespace

Result<void> ArrowBuffer::open(ByteSource& source, const Place& place, std::uint64_t& held) {
  source_ = &source;
  begin_ = place.begin;
  size_ = place.size;
  in_memory_ = false;
  memory_.clear();
  if (place.codec == Codec::kNone || size_ == 0) return {};
  // The size of what is packed stands in front; -1: it is not.
  std::int64_t plain = 0;
  if (size_ < sizeof plain)
    return Unexpected(ErrorCode::kInvalidArgument, "A compressed buffer is too short.", "Write the table again.");
  TRY_DO(source.read(begin_, std::span(reinterpret_cast<char*>(&plain), sizeof plain)));
  begin_ += sizeof plain;
  size_ -= sizeof plain;
  if (plain == -1) return {};
  if (plain < 0 || static_cast<std::uint64_t>(plain) > kMaxBytes - std::min(kMaxBytes, held) ||
      size_ > kMaxBytes - std::min(kMaxBytes, held))
    return too_large("A record batch takes more than 1 GiB when it is unpacked.");
  std::string packed(static_cast<std::size_t>(size_), '\0');
  TRY_DO(source.read(begin_, packed));
  const std::string problem = decompress(place.codec, packed, static_cast<std::size_t>(plain), memory_);
  if (!problem.empty())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("A buffer can't be read: {}.", problem),
                      "Write the table again.");
  size_ = memory_.size();
  held += size_;
  in_memory_ = true;
  return {};
}

Result<std::string_view> ArrowBuffer::read(std::uint64_t offset, std::uint64_t size) {
  if (offset > size_ || size > size_ - offset)
    return Unexpected(ErrorCode::kInvalidArgument, "A buffer is shorter than its rows need.", "Write the table again.");
  if (in_memory_)
    return std::string_view(memory_).substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
  if (size > kMaxPiece) return too_large("A few thousand texts take more than 256 MiB.");
  piece_.resize(static_cast<std::size_t>(size));
  TRY_DO(source_->read(begin_ + offset, piece_));
  return std::string_view(piece_);
}

Result<void> ArrowBuffer::load(std::uint64_t& held) {
  if (in_memory_) return {};
  if (size_ > kMaxBytes - std::min(kMaxBytes, held))
    return too_large("The texts of a record batch take more than 1 GiB.");
  memory_.resize(static_cast<std::size_t>(size_));
  TRY_DO(source_->read(begin_, memory_));
  held += size_;
  in_memory_ = true;
  return {};
}

Unexpected ArrowColumn::broken(const std::string& what) const {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{}, column '{}': {}.", file_, field_.info.name, what),
                    "Write the table again.");
}

Result<void> ArrowColumn::open(std::uint64_t rows, std::uint64_t missing,
                               const std::vector<ArrowBuffer::Place>& buffers, std::uint64_t& held) {
  at_ = 0;
  buffers_.resize(std::max<std::size_t>(buffers.size(), 3));
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (auto opened = buffers_[i].open(source_, buffers[i], held); !opened)
      return Unexpected(std::move(opened).error().within(fmt::format("{}, column '{}'", file_, field_.info.name)));
    // Texts that views look at may be anywhere in these.
    if (!field_.dictionary && field_.layout == ArrowLayout::kViews && i >= 2) TRY_DO(buffers_[i].load(held));
  }
  has_missing_ = missing > 0 && field_.layout != ArrowLayout::kNull;
  if (missing > rows || (has_missing_ && buffers_[0].size() < (rows + 7) / 8))
    return broken("what says which values are missing is too short");
  return {};
}

Result<void> ArrowColumn::read_present(std::size_t rows, ColumnValues& out) {
  out.present.clear();
  if (!has_missing_) return {};
  TRY(const std::string_view bits, buffers_[0].read(at_ / 8, (at_ % 8 + rows + 7) / 8));
  out.present.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t bit = at_ % 8 + i;
    out.present[i] = (static_cast<unsigned char>(bits[bit / 8]) >> (bit % 8)) & 1;
  }
  return {};
}

Result<void> ArrowColumn::read_integers(int size, bool is_signed, std::size_t rows, std::vector<std::int64_t>& out) {
  const auto width = static_cast<std::uint64_t>(size);
  TRY(const std::string_view bytes, buffers_[1].read(at_ * width, rows * width));
  switch (is_signed ? size : -size) {
    case 1: copy_integers<std::int8_t>(bytes, rows, out); break;
    case 2: copy_integers<std::int16_t>(bytes, rows, out); break;
    case 4: copy_integers<std::int32_t>(bytes, rows, out); break;
    case 8: copy_integers<std::int64_t>(bytes, rows, out); break;
    case -1: copy_integers<std::uint8_t>(bytes, rows, out); break;
    case -2: copy_integers<std::uint16_t>(bytes, rows, out); break;
    case -4: copy_integers<std::uint32_t>(bytes, rows, out); break;
    default: copy_integers<std::uint64_t>(bytes, rows, out);
  }
  return {};
}

Result<void> ArrowColumn::read_floats(std::size_t rows, ColumnValues& out) {
  out.kept = ColumnValues::Kept::kDoubles;
  out.doubles.resize(rows);
  const auto width = static_cast<std::uint64_t>(field_.bytes);
  TRY(const std::string_view bytes, buffers_[1].read(at_ * width, rows * width));
  for (std::size_t i = 0; i < rows; ++i)
    out.doubles[i] = field_.bytes == 2   ? half_to_double(read_at<std::uint16_t>(bytes, i))
                     : field_.bytes == 4 ? static_cast<double>(read_at<float>(bytes, i))
                                         : read_at<double>(bytes, i);
  return {};
}

Result<void> ArrowColumn::read_bits(std::size_t rows, ColumnValues& out) {
  out.kept = ColumnValues::Kept::kIntegers;
  out.integers.resize(rows);
  TRY(const std::string_view bits, buffers_[1].read(at_ / 8, (at_ % 8 + rows + 7) / 8));
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t bit = at_ % 8 + i;
    out.integers[i] = (static_cast<unsigned char>(bits[bit / 8]) >> (bit % 8)) & 1;
  }
  return {};
}

void ArrowColumn::take_ends(const std::vector<std::size_t>& ends, ColumnValues& out) const {
  out.kept = ColumnValues::Kept::kTexts;
  out.texts.resize(ends.size());
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    out.texts[i] = std::string_view(arena_).substr(begin, ends[i] - begin);
  }
}

Result<void> ArrowColumn::read_decimals(std::size_t rows, ColumnValues& out) {
  const auto width = static_cast<std::size_t>(field_.bytes);
  TRY(const std::string_view bytes, buffers_[1].read(at_ * width, rows * width));
  if (!field_.long_decimal) {
    out.kept = ColumnValues::Kept::kIntegers;
    out.integers.assign(rows, 0);
    for (std::size_t i = 0; i < rows; ++i) {
      if (!there(out, i)) continue;
      const std::string_view value = bytes.substr(i * width, width);
      const auto sign = static_cast<char>((static_cast<unsigned char>(value.back()) & 0x80) != 0 ? 0xff : 0);
      // What is above the last eight bytes may only be the sign.
      std::int64_t number = sign == 0 ? 0 : -1;
      std::memcpy(&number, value.data(), std::min<std::size_t>(width, 8));
      for (std::size_t k = 8; k < width; ++k)
        if (value[k] != sign) return broken("a decimal has more digits than its type");
      if ((number < 0) != (sign != 0)) return broken("a decimal has more digits than its type");
      out.integers[i] = number;
    }
    return {};
  }
  arena_.clear();
  std::vector<std::size_t> ends(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    if (there(out, i)) {
      std::string value(bytes.substr(i * width, width));
      std::reverse(value.begin(), value.end());
      append_decimal(arena_, value, field_.form.scale);
    }
    ends[i] = arena_.size();
  }
  take_ends(ends, out);
  return {};
}

Result<void> ArrowColumn::read_fixed(std::size_t rows, ColumnValues& out) {
  const auto width = static_cast<std::size_t>(field_.bytes);
  TRY(const std::string_view bytes, buffers_[1].read(at_ * width, rows * width));
  if (field_.uuid) {
    arena_.clear();
    std::vector<std::size_t> ends(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      append_uuid(arena_, bytes.substr(i * width, width));
      ends[i] = arena_.size();
    }
    take_ends(ends, out);
    return {};
  }
  out.kept = ColumnValues::Kept::kTexts;
  out.texts.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) out.texts[i] = bytes.substr(i * width, width);
  return {};
}

Result<void> ArrowColumn::check_texts(const ColumnValues& out) const {
  if (field_.form.as != ValueForm::As::kPlain) return {};
  for (std::size_t i = 0; i < out.rows; ++i)
    if (there(out, i) && !is_utf8(out.texts[i])) return broken("a text is not UTF-8");
  return {};
}

Result<void> ArrowColumn::read_texts(std::size_t rows, ColumnValues& out) {
  out.kept = ColumnValues::Kept::kTexts;
  out.texts.assign(rows, {});
  if (rows == 0) return {};
  const auto width = static_cast<std::uint64_t>(field_.bytes);
  TRY(const std::string_view bytes, buffers_[1].read(at_ * width, (rows + 1) * width));
  if (field_.bytes == 4) {
    copy_integers<std::int32_t>(bytes, rows + 1, indexes_);
  } else {
    copy_integers<std::int64_t>(bytes, rows + 1, indexes_);
  }
  if (indexes_[0] < 0 || !std::is_sorted(indexes_.begin(), indexes_.end()))
    return broken("its texts overlap or are out of order");
  const auto begin = static_cast<std::uint64_t>(indexes_[0]);
  TRY(const std::string_view all, buffers_[2].read(begin, static_cast<std::uint64_t>(indexes_[rows]) - begin));
  for (std::size_t i = 0; i < rows; ++i)
    out.texts[i] = all.substr(static_cast<std::size_t>(indexes_[i] - indexes_[0]),
                              static_cast<std::size_t>(indexes_[i + 1] - indexes_[i]));
  return check_texts(out);
}

// 16 bytes: the length, then up to 12 bytes of text, or its first four, a buffer's index and an offset in it.
Result<void> ArrowColumn::read_views(std::size_t rows, ColumnValues& out) {
  constexpr std::size_t kInside = 12;
  out.kept = ColumnValues::Kept::kTexts;
  out.texts.assign(rows, {});
  TRY(const std::string_view views, buffers_[1].read(at_ * 16, rows * 16));
  for (std::size_t i = 0; i < rows; ++i) {
    if (!there(out, i)) continue;
    const std::string_view view = views.substr(i * 16, 16);
    const auto size = static_cast<std::size_t>(read_at<std::uint32_t>(view, 0));
    if (size <= kInside) {
      out.texts[i] = view.substr(4, size);
      continue;
    }
    const std::uint64_t index = read_at<std::uint32_t>(view, 2);
    const std::uint64_t offset = read_at<std::uint32_t>(view, 3);
    if (index + 2 >= buffers_.size()) return broken("a text is in a buffer that there is not");
    TRY(out.texts[i], buffers_[index + 2].read(offset, size));
  }
  return check_texts(out);
}

Result<void> ArrowColumn::read_indexes(std::size_t rows, ColumnValues& out) {
  const auto found = dictionaries_.find(*field_.dictionary);
  if (found == dictionaries_.end()) return broken("its dictionary is missing");
  const ColumnValues& from = found->second.values;
  TRY_DO(read_integers(field_.index_bytes, field_.index_signed, rows, indexes_));
  out.kept = from.kept;
  out.integers.resize(from.kept == ColumnValues::Kept::kIntegers ? rows : 0);
  out.doubles.resize(from.kept == ColumnValues::Kept::kDoubles ? rows : 0);
  out.texts.resize(from.kept == ColumnValues::Kept::kTexts ? rows : 0);
  for (std::size_t i = 0; i < rows; ++i) {
    const bool is_there = there(out, i);
    const auto index = static_cast<std::uint64_t>(is_there ? indexes_[i] : 0);
    if (is_there && index >= from.rows) return broken("a value is not in its dictionary");
    const bool has_value = is_there && (from.present.empty() || from.present[index] != 0);
    if (is_there && !has_value) {  // A value of the dictionary may be null, too.
      if (out.present.empty()) out.present.assign(rows, 1);
      out.present[i] = 0;
    }
    switch (from.kept) {
      case ColumnValues::Kept::kIntegers: out.integers[i] = has_value ? from.integers[index] : 0; break;
      case ColumnValues::Kept::kDoubles: out.doubles[i] = has_value ? from.doubles[index] : 0; break;
      default: out.texts[i] = has_value ? from.texts[index] : std::string_view();
    }
  }
  return {};
}

Result<void> ArrowColumn::read(std::size_t rows, ColumnValues& out) {
  out.type = field_.info.type;
  out.form = field_.form;
  out.rows = rows;
  out.cells.clear();
  auto done = [&]() -> Result<void> {
    TRY_DO(read_present(rows, out));
    if (field_.dictionary) return read_indexes(rows, out);
    switch (field_.layout) {
      case ArrowLayout::kNull:
        out.kept = ColumnValues::Kept::kIntegers;
        out.integers.assign(rows, 0);
        out.present.assign(rows, 0);
        return {};
      case ArrowLayout::kBits: return read_bits(rows, out);
      case ArrowLayout::kIntegers:
        out.kept = ColumnValues::Kept::kIntegers;
        TRY_DO(read_integers(field_.bytes, field_.is_signed, rows, out.integers));
        if (field_.milliseconds)
          for (std::int64_t& day : out.integers) day = day / 86'400'000 - (day % 86'400'000 < 0 ? 1 : 0);
        return {};
      case ArrowLayout::kFloats: return read_floats(rows, out);
      case ArrowLayout::kDecimals: return read_decimals(rows, out);
      case ArrowLayout::kFixedBytes: return read_fixed(rows, out);
      case ArrowLayout::kTexts: return read_texts(rows, out);
      case ArrowLayout::kViews: return read_views(rows, out);
      case ArrowLayout::kLists:  // See ArrowLists.
      case ArrowLayout::kNone: break;
    }
    out.kept = ColumnValues::Kept::kNested;
    return {};
  }();
  at_ += rows;
  if (!done && !done.error().message.starts_with(file_))
    return Unexpected(std::move(done).error().within(fmt::format("{}, column '{}'", file_, field_.info.name)));
  return done;
}

}  // namespace backstay::tables
