#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

/// Tables of text as streams of rows, in memory that depends on the longest row only. Every byte is hostile.
namespace backstay::tables {

enum class Format { kCsv, kTsv, kJsonl };

/// By the ending of a file's name; nothing when it is none of these.
std::optional<Format> format_of(std::string_view file_name);

/// One value. Empty text is missing, as null is. Of a CSV, all that is not missing is kText.
struct Cell {
  enum class Kind { kMissing, kText, kBoolean, kNumber, kNested };
  Kind kind = Kind::kMissing;
  std::string_view text;
  /// Of kNumber the number, of kBoolean 0 or 1. Not a number otherwise: number_of() reads texts.
  double number = std::numeric_limits<double>::quiet_NaN();
  /// Of kNested: the numbers of a list that has nothing else, and at most kMaxListItems of them. Empty otherwise.
  std::span<const double> list{};
};

/// Longer lists are nested values that are not looked into.
constexpr std::size_t kMaxListItems = 16'384;

/// The number that a cell is: kNumber, kBoolean as 0 or 1, and a text that is all of one ("0.5", "+1e3", not "inf").
/// Not a number (NaN) for everything else.
double number_of(const Cell& cell);

/// One row, valid during the call only.
struct Row {
  std::string_view canonical;   ///< What a digest is made of, with its "\n"; see canonical forms below. Or left out.
  std::span<const Cell> cells;  ///< By column.
};
using OnRow = std::function<Result<void>(const Row&)>;

/// Takes the bytes of one file after the other. Canonical forms, which docs/registering.md promises:
///   CSV, TSV  the row as a JSON array of texts: ["a","b"], only what JSON must escape is escaped; the head first.
///   JSONL     the line without blanks around it.
/// CSV is RFC 4180, strictly: cells are separated by commas, a cell that begins with a quote ends with one, quotes in
/// it are doubled, lines end with LF or CRLF, every row is as long as the head. TSV has tabs and no quotes. Both are
/// UTF-8; a byte order mark and empty lines are skipped. Errors name file and line.
class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual Result<void> feed(std::span<const std::byte> bytes) = 0;
  /// The file is over; another may follow, with the same head.
  virtual Result<void> end_file() = 0;
  virtual const std::vector<std::string>& columns() const = 0;
  virtual std::string_view canonical_head() const = 0;  ///< Empty for JSONL.
};

/// Whether rows come with their canonical form. That of JSON Lines costs nothing and is always there.
enum class Canonical { kWanted, kLeftOut };

/// `name` is what errors call the files.
std::unique_ptr<RowReader> make_row_reader(Format format, const std::string& name, OnRow on_row,
                                           Canonical canonical = Canonical::kWanted);

}  // namespace backstay::tables
