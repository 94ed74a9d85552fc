#pragma once

#include <cstdint>

#include "tables/row_reader.hpp"

namespace backstay::tables {

/// CSV and TSV; see RowReader.
class CsvReader : public RowReader {
 public:
  CsvReader(bool tabs, std::string name, OnRow on_row, Canonical canonical);
  Result<void> feed(std::span<const std::byte> bytes) override;
  Result<void> end_file() override;
  const std::vector<std::string>& columns() const override { return columns_; }
  std::string_view canonical_head() const override { return head_; }

 private:
  enum class State { kRowStart, kCellStart, kPlain, kQuoted, kQuoteSeen, kReturn };
  /// Takes whole lines, from one that begins a row on, until something rare comes, which is left to take(). How many
  /// bytes they are.
  Result<std::size_t> take_plain_lines(std::string_view text);
  Result<void> take(char c);
  Result<void> take_plain(char c);
  void end_cell();
  Result<void> end_row();
  /// Of what is in cells_.
  Result<void> give_row();
  Result<void> end_line();
  static constexpr const char* kWriteAgain = "Write the table again with a library for it.";
  Unexpected wrong(const std::string& what, const char* hint = kWriteAgain) const;

  const bool tabs_;
  const char delimiter_;
  const std::string name_;
  const OnRow on_row_;
  const bool canonical_wanted_;
  State state_ = State::kRowStart;
  std::size_t mark_ = 0;        ///< Bytes of a byte order mark that were seen; 3 = past the file's start.
  std::uint64_t line_ = 1;      ///< The line being read.
  std::uint64_t row_line_ = 1;  ///< Where its row began.
  std::string text_;            ///< Cells of the row, one after the other.
  std::vector<std::size_t> ends_;
  std::string canonical_;
  std::vector<Cell> cells_;
  std::vector<std::string> columns_;
  std::string head_;
  bool in_head_ = true;
};

}  // namespace backstay::tables
