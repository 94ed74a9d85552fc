#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tables/arrow_schema.hpp"
#include "tables/byte_source.hpp"
#include "tables/compression.hpp"

namespace backstay::tables {

/// Where an Arrow buffer is: a range of the file, or, when it was compressed, in memory.
class ArrowBuffer {
 public:
  /// How much a record batch's buffers may take in memory together.
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
  /// How much of one may be asked for at once.
  static constexpr std::uint64_t kMaxPiece = 256 * 1024 * 1024;

  struct Place {
    std::uint64_t begin = 0;  ///< In the file.
    std::uint64_t size = 0;
    Codec codec = Codec::kNone;
  };
  /// A compressed one is unpacked; `held` counts what that took. The source must outlive it.
  Result<void> open(ByteSource& source, const Place& place, std::uint64_t& held);
  std::uint64_t size() const { return size_; }
  /// Those bytes, valid until the next call. The range must lie within.
  Result<std::string_view> read(std::uint64_t offset, std::uint64_t size);
  /// Brings all of it into memory.
  Result<void> load(std::uint64_t& held);

 private:
  ByteSource* source_ = nullptr;
  std::uint64_t begin_ = 0;
  std::uint64_t size_ = 0;
  bool in_memory_ = false;
  std::string memory_;
  std::string piece_;
};

/// The values of a dictionary, with their own texts.
struct ArrowDictionary {
  ColumnValues values;
  std::vector<std::unique_ptr<std::string>> texts;  ///< One per batch: later ones may add to a dictionary.
  std::uint64_t bytes = 0;
};
using ArrowDictionaries = std::map<std::int64_t, ArrowDictionary>;

/// Reads a column of one record batch in pieces of some rows.
class ArrowColumn {
 public:
  /// What it needs must outlive it; `file` is what errors call the file.
  ArrowColumn(ByteSource& source, std::string file, const ArrowField& field, const ArrowDictionaries& dictionaries)
      : source_(source), file_(std::move(file)), field_(field), dictionaries_(dictionaries) {}

  /// Goes to a record batch. `buffers`: validity, then what its layout has.
  Result<void> open(std::uint64_t rows, std::uint64_t missing, const std::vector<ArrowBuffer::Place>& buffers,
                    std::uint64_t& held);
  /// Goes to a row of the record batch.
  void go_to(std::uint64_t row) { at_ = row; }
  /// The next rows, no more than there are. Texts are valid until the next call.
  Result<void> read(std::size_t rows, ColumnValues& out);

 private:
  Result<void> read_present(std::size_t rows, ColumnValues& out);
  Result<void> read_integers(int bytes, bool is_signed, std::size_t rows, std::vector<std::int64_t>& out);
  Result<void> read_floats(std::size_t rows, ColumnValues& out);
  Result<void> read_bits(std::size_t rows, ColumnValues& out);
  Result<void> read_decimals(std::size_t rows, ColumnValues& out);
  Result<void> read_fixed(std::size_t rows, ColumnValues& out);
  Result<void> read_texts(std::size_t rows, ColumnValues& out);
  Result<void> read_views(std::size_t rows, ColumnValues& out);
  Result<void> read_indexes(std::size_t rows, ColumnValues& out);
  Result<void> check_texts(const ColumnValues& out) const;
  void take_ends(const std::vector<std::size_t>& ends, ColumnValues& out) const;
  bool there(const ColumnValues& out, std::size_t row) const { return out.present.empty() || out.present[row] != 0; }
  Unexpected broken(const std::string& what) const;

  ByteSource& source_;
  const std::string file_;
  const ArrowField field_;
  const ArrowDictionaries& dictionaries_;
  std::uint64_t at_ = 0;  ///< The next row.
  bool has_missing_ = false;
  std::vector<ArrowBuffer> buffers_;
  std::string arena_;  ///< Texts that are not in the file.
  std::vector<std::int64_t> indexes_;
};

}  // namespace backstay::tables
