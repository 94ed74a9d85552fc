#pragma once

#include <memory>
#include <optional>

#include "tables/byte_source.hpp"
#include "tables/parquet_encodings.hpp"
#include "tables/parquet_layout.hpp"

namespace backstay::tables {

/// How much memory the pages of a table's columns take together, and may take.
struct PageBudget {
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
  std::uint64_t held = 0;
};

/// Reads one column's values, page by page: pages of versions 1 and 2, a page and a dictionary at a time in memory.
/// A page's CRC is checked when it has one.
class ParquetColumn {
 public:
  static constexpr std::uint64_t kMaxPageBytes = 256 * 1024 * 1024;

  /// Source and budget must outlive it; `file` is what errors call the file.
  ParquetColumn(ByteSource& source, std::string file, const ParquetLayout::Column& column, PageBudget& budget);
  ParquetColumn(const ParquetColumn&) = delete;
  ParquetColumn& operator=(const ParquetColumn&) = delete;
  ~ParquetColumn();

  /// Goes to the begin of a row group's chunk.
  Result<void> open(const ParquetLayout::Chunk& chunk);
  /// How many values the page has that is read, at least one; the next page is read when it is used up. To be asked
  /// only while the chunk has values.
  Result<std::size_t> available();
  /// The next `rows` values, no more than are available. Texts are valid until the next call.
  Result<void> read(std::size_t rows, ColumnValues& out);
  /// Of a list: the next entries, no more than are available. `repeats`: 0 where a row begins, else 1; `levels`: see
  /// ParquetLayout::ListLevels; `numbers`: of the entries that are values.
  Result<void> read_entries(std::size_t entries, std::vector<std::uint8_t>& repeats, std::vector<std::uint8_t>& levels,
                            std::vector<double>& numbers);

 private:
  struct PageHead;
  Result<PageHead> read_head();
  Result<void> next_page();
  Result<void> read_body(const PageHead& head);
  Result<void> unpack(const PageHead& head, std::size_t plain);
  Result<void> take_dictionary(const PageHead& head);
  Result<void> take_data(const PageHead& head);
  Result<void> take_levels(const PageHead& head, std::string_view& bytes);
  void convert_numbers();
  Result<void> convert(ColumnValues& out);
  Result<void> check_texts(const std::vector<std::string_view>& texts) const;
  Result<void> hold();
  template <class Value>
  void spread(std::vector<Value>& from, std::vector<Value>& to, const ColumnValues& out) const;
  Unexpected broken(const std::string& what) const;

  ByteSource& source_;
  const std::string file_;
  const ParquetLayout::Column column_;
  PageBudget& budget_;
  std::uint64_t held_ = 0;

  ParquetLayout::Chunk chunk_;
  std::uint64_t at_ = 0;      ///< Where the next page begins.
  std::uint64_t values_ = 0;  ///< Of the chunk's pages so far.
  std::string ahead_;         ///< Bytes from at_ on that were read for a page's head.
  std::string packed_;
  std::string page_;
  std::string dictionary_page_;
  RawValues dictionary_;
  bool has_dictionary_ = false;
  bool from_dictionary_ = false;  ///< The page's values are.
  std::size_t left_ = 0;          ///< Values of the page that were not given.
  std::optional<RunReader> repeats_;
  std::optional<RunReader> levels_;
  std::unique_ptr<ValueDecoder> decoder_;
  RawValues raw_;
  std::string arena_;  ///< Texts that are not in the page.
};

}  // namespace backstay::tables
