#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/drift/row_profile.hpp"
#include "tables/column_batch.hpp"
#include "tables/row_reader.hpp"

namespace backstay::tables {

/// A cell as what it says: a text that is all of a number or boolean ("0.5", "true") is one. Valid as long as the cell.
drift::Value value_of(const Cell& cell);
/// A row's cells, each as value_of() has it.
void put_row(std::span<const Cell> cells, drift::RowBlock& block);
/// The same of some rows of a batch, column by column; there must be room for them. Of numbers no text is made.
void put_rows(const ColumnBatch& batch, std::size_t first, std::size_t count, drift::RowBlock& block);

/// "true", as pandas ("True") and R ("TRUE") write it too, and "false" likewise.
std::optional<bool> read_boolean(std::string_view text);

/// A number as tables write them: all of the text, finite, at most 64 bytes.
bool read_number(std::string_view text, double& number);

/// What the rows of a slice look like, in bounded memory. wire/profile_json.hpp has the form in which it is stored, and
/// what it discloses.
class Profile {
 public:
  explicit Profile(std::size_t max_columns = drift::Profile::kMaxColumns,
                   drift::Resolution resolution = drift::QuantileSketch::kFine)
      : rows_(max_columns, resolution), block_(max_columns) {}
  void add(const Row& row);
  void add(const ColumnBatch& batch);
  drift::Profile named(const std::vector<std::string>& columns) const;
  std::uint64_t rows() const { return rows_.rows() + block_.rows(); }

 private:
  void take_block();

  drift::RowProfile rows_;
  drift::RowBlock block_;
};

}  // namespace backstay::tables
