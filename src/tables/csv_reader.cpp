#include "tables/csv_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/text.hpp"
#include "tables/byte_masks.hpp"
#include "tables/value_text.hpp"

namespace backstay::tables {

namespace {

constexpr std::size_t kMaxRowBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxColumns = 16384;
constexpr std::string_view kMark = "\xef\xbb\xbf";

}  // namespace

CsvReader::CsvReader(bool tabs, std::string name, OnRow on_row, Canonical canonical)
    : tabs_(tabs),
      delimiter_(tabs ? '\t' : ','),
      name_(std::move(name)),
      on_row_(std::move(on_row)),
      canonical_wanted_(canonical == Canonical::kWanted) {}

Unexpected CsvReader::wrong(const std::string& what, const char* hint) const {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} line {}: {}.", name_, line_, what), hint);
}

Result<void> CsvReader::feed(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::size_t at = 0;
  while (at < text.size()) {
    if (state_ == State::kRowStart && mark_ == kMark.size() && !in_head_) {
      TRY(const std::size_t taken, take_plain_lines(text.substr(at)));
      at += taken;
      if (at == text.size()) break;
    }
    const char c = text[at++];
    if (mark_ < kMark.size()) {
      if (c == kMark[mark_]) {
        ++mark_;
        continue;
      }
      const std::size_t seen = mark_;
      mark_ = kMark.size();
      for (std::size_t i = 0; i < seen; ++i) TRY_DO(take(kMark[i]));
    }
    TRY_DO(take(c));
  }
  return {};
}

Result<std::size_t> CsvReader::take_plain_lines(std::string_view text) {
  cells_.assign(columns_.size(), Cell{});
  std::size_t line = 0;  // Where it begins, as does the cell.
  std::size_t cell = 0;
  std::size_t count = 0;
  bool ascii = true;
  const auto end_cell_at = [&](std::size_t end) {
    if (count < cells_.size()) {
      cells_[count].text = text.substr(cell, end - cell);
      cells_[count].kind = end == cell ? Cell::Kind::kMissing : Cell::Kind::kText;
    }
    ++count;
    cell = end + 1;
  };
  std::array<char, kMaskedBytes> last;
  for (std::size_t begin = 0; begin < text.size(); begin += kMaskedBytes) {
    const char* bytes = text.data() + begin;
    if (text.size() - begin < kMaskedBytes) {
      last.fill(' ');
      std::copy(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), last.begin());
      bytes = last.data();
    }
    const ByteMasks masks = masks_of(bytes, delimiter_);
    ascii = ascii && masks.high == 0;
    for (std::uint64_t rest = masks.ends | masks.rare; rest != 0; rest &= rest - 1) {
      const std::size_t at = begin + static_cast<std::size_t>(std::countr_zero(rest));
      const char c = text[at];
      if (c == delimiter_) {
        end_cell_at(at);
      } else if (c == '\n') {
        const std::size_t end = at > line && text[at - 1] == '\r' ? at - 1 : at;
        if (end == line || end - line > kMaxRowBytes) return line;
        end_cell_at(end);
        if (count != cells_.size()) return line;  // take() says so.
        row_line_ = line_;
        if (!ascii && !is_utf8(text.substr(line, end - line))) return wrong("the row is not UTF-8");
        TRY_DO(give_row());
        ++line_;
        line = cell = at + 1;
        count = 0;
        ascii = masks.high == 0;
      } else if (c == '\0' || (c == '"' && !tabs_) || (c == '\r' && text.substr(at, 2) != "\r\n")) {
        return line;
      }
    }
  }
  return line;
}

void CsvReader::end_cell() {
  ends_.push_back(text_.size());
}

Result<void> CsvReader::take_plain(char c) {
  if (c == delimiter_) {
    end_cell();
    state_ = State::kCellStart;
  } else if (c == '\n') {
    end_cell();
    return end_line();
  } else if (c == '\r') {
    end_cell();
    state_ = State::kReturn;
  } else if (c == '"' && !tabs_) {
    return wrong("a quote stands inside a cell that does not begin with one");
  } else {
    state_ = State::kPlain;
    text_ += c;
  }
  return {};
}

Result<void> CsvReader::take(char c) {
  if (c == '\0')
    return wrong(in_head_ ? "there are zero bytes in the head: it looks like UTF-16" : "a zero byte is no text",
                 in_head_ ? "Save it as UTF-8." : kWriteAgain);
  if (text_.size() > kMaxRowBytes || ends_.size() > kMaxColumns)
    return wrong("a row is longer than 16 MiB or has more than 16384 cells");
  switch (state_) {
    case State::kRowStart:
      row_line_ = line_;
      if (c == '\n') {
        ++line_;
        return {};
      }
      if (c == '\r') {
        state_ = State::kReturn;
        return {};
      }
      [[fallthrough]];
    case State::kCellStart:
      if (c == '"' && !tabs_) {
        state_ = State::kQuoted;
        return {};
      }
      return take_plain(c);
    case State::kPlain: return take_plain(c);
    case State::kQuoted:
      if (c == '"') {
        state_ = State::kQuoteSeen;
      } else {
        if (c == '\n') ++line_;
        text_ += c;
      }
      return {};
    case State::kQuoteSeen:
      if (c == '"') {
        text_ += c;
        state_ = State::kQuoted;
        return {};
      }
      if (c != delimiter_ && c != '\n' && c != '\r')
        return wrong("after a closing quote there is neither the next cell nor the line's end");
      return take_plain(c);
    case State::kReturn:
      if (c != '\n') return wrong("a carriage return stands alone");
      return end_line();
  }
  return {};
}

Result<void> CsvReader::end_line() {
  if (!ends_.empty()) TRY_DO(end_row());
  ++line_;
  state_ = State::kRowStart;
  return {};
}

Result<void> CsvReader::end_row() {
  cells_.clear();
  std::size_t start = 0;
  for (const std::size_t end : ends_) {
    const std::string_view cell = std::string_view(text_).substr(start, end - start);
    if (!is_utf8(cell)) return wrong("the row is not UTF-8");
    cells_.push_back({cell.empty() ? Cell::Kind::kMissing : Cell::Kind::kText, cell});
    start = end;
  }
  TRY_DO(give_row());
  text_.clear();
  ends_.clear();
  return {};
}

Result<void> CsvReader::give_row() {
  if (canonical_wanted_ || in_head_) {
    canonical_.assign(1, '[');
    for (const Cell& cell : cells_) {
      if (canonical_.size() > 1) canonical_ += ',';
      append_json(canonical_, cell.text);
    }
    canonical_ += "]\n";
  }
  if (in_head_) {
    const bool one = !tabs_ && cells_.size() == 1;
    if (one && cells_.front().text.find(';') != std::string_view::npos)
      return wrong("the columns are separated by ';'", "Write them with commas, or save the table as Parquet.");
    if (head_.empty()) {
      head_ = canonical_;
      for (const Cell& cell : cells_) columns_.emplace_back(cell.text);
    } else if (head_ != canonical_) {
      return wrong("the head differs from that of the file before");
    }
    in_head_ = false;
    return {};
  }
  if (cells_.size() != columns_.size())
    return wrong(fmt::format("the row that began in line {} has {} cells, the head has {}", row_line_, cells_.size(),
                             columns_.size()));
  return on_row_({canonical_, cells_});
}

Result<void> CsvReader::end_file() {
  if (mark_ > 0 && mark_ < kMark.size()) return wrong("the row is not UTF-8");
  if (state_ == State::kQuoted) return wrong("the file ends inside quotes");
  if (state_ == State::kReturn && ends_.empty()) state_ = State::kRowStart;
  if (state_ == State::kPlain || state_ == State::kCellStart || state_ == State::kQuoteSeen) end_cell();
  if (!ends_.empty()) TRY_DO(end_row());
  if (in_head_) return wrong("the table has no head");
  state_ = State::kRowStart;
  mark_ = 0;
  line_ = 1;
  in_head_ = true;
  return {};
}

}  // namespace backstay::tables
