#include "tables/text_table.hpp"

#include <algorithm>

#include "tables/choose_columns.hpp"

namespace backstay::tables {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kFeedBytes = 4 * 1024;  ///< A line of three bytes may have a thousand cells, all of them missing.
constexpr std::size_t kCells = 256 * 1024;

}  // namespace

TextTable::TextTable(std::unique_ptr<ByteSource> source, Format format, TableOptions options)
    : source_(std::move(source)),
      options_(std::move(options)),
      grows_(format == Format::kJsonl),
      reader_(make_row_reader(
          format, options_.name, [this](const Row& row) { return take(row); }, Canonical::kLeftOut)) {}

Result<std::unique_ptr<TableReader>> TextTable::open(std::unique_ptr<ByteSource> source, Format format,
                                                     const TableOptions& options) {
  std::unique_ptr<TextTable> out(new TextTable(std::move(source), format, options));
  while (!out->ended_ && out->reader_->columns().empty()) TRY_DO(out->read_piece());
  TRY_DO(out->learn_columns());
  return std::unique_ptr<TableReader>(std::move(out));
}

Result<void> TextTable::read_piece() {
  if (fed_ == piece_.size()) {
    piece_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, source_->size() - at_)));
    fed_ = 0;
    if (piece_.empty()) {
      ended_ = true;
      return reader_->end_file();
    }
    TRY_DO(source_->read(at_, piece_));
    at_ += piece_.size();
  }
  while (fed_ < piece_.size() && places_.size() < kCells) {
    const std::size_t size = std::min(kFeedBytes, piece_.size() - fed_);
    TRY_DO(reader_->feed(std::as_bytes(std::span(piece_).subspan(fed_, size))));
    fed_ += size;
  }
  return {};
}

Result<void> TextTable::take(const Row& row) {
  const auto keep = [&](const Cell& cell) {
    places_.push_back({cell.kind, texts_.size(), cell.text.size(), cell.number, numbers_.size(), cell.list.size()});
    texts_ += cell.text;
    numbers_.insert(numbers_.end(), cell.list.begin(), cell.list.end());
  };
  if (options_.columns.empty()) {
    for (const Cell& cell : row.cells) keep(cell);
    widths_.push_back(row.cells.size());
    return {};
  }
  TRY_DO(learn_columns());
  for (const std::size_t index : chosen_) keep(index < row.cells.size() ? row.cells[index] : Cell{});
  widths_.push_back(chosen_.size());
  return {};
}

Result<void> TextTable::learn_columns() {
  const std::vector<std::string>& names = reader_->columns();
  if (options_.columns.empty()) {
    while (infos_.size() < names.size()) infos_.push_back({names[infos_.size()], ColumnType::kMixed, ""});
    return {};
  }
  if (!grows_) {
    if (!infos_.empty()) return {};
    std::vector<ColumnInfo> all;
    for (const std::string& name : names) all.push_back({name, ColumnType::kMixed, ""});
    TRY(chosen_, choose_columns(all, options_));
    for (const std::size_t index : chosen_) infos_.push_back(all[index]);
    return {};
  }
  // A key that was not seen may still come: until then its values are missing.
  if (infos_.empty()) {
    for (const std::string& name : options_.columns) infos_.push_back({name, ColumnType::kMixed, ""});
    chosen_.assign(infos_.size(), SIZE_MAX);
  }
  for (std::size_t i = 0; i < chosen_.size(); ++i) {
    if (chosen_[i] != SIZE_MAX) continue;
    const auto found = std::find(names.begin(), names.end(), infos_[i].name);
    if (found != names.end()) chosen_[i] = static_cast<std::size_t>(found - names.begin());
  }
  return {};
}

void TextTable::fill_batch() {
  batch_.rows = widths_.size();
  batch_.columns.resize(infos_.size());
  for (ColumnValues& column : batch_.columns) {
    column.kept = ColumnValues::Kept::kCells;
    column.type = ColumnType::kMixed;
    column.rows = batch_.rows;
    column.cells.assign(batch_.rows, Cell{});
  }
  std::size_t at = 0;
  for (std::size_t row = 0; row < batch_.rows; ++row) {
    for (std::size_t i = 0; i < widths_[row]; ++i) {
      const Place& place = places_[at + i];
      batch_.columns[i].cells[row] = {place.kind, std::string_view(texts_).substr(place.begin, place.size),
                                      place.number, std::span(numbers_).subspan(place.list, place.items)};
    }
    at += widths_[row];
  }
}

Result<const ColumnBatch*> TextTable::next() {
  if (batch_.rows > 0) {
    texts_.clear();
    numbers_.clear();
    places_.clear();
    widths_.clear();
    batch_.rows = 0;
  }
  while (widths_.empty() && !ended_) TRY_DO(read_piece());
  TRY_DO(learn_columns());
  if (widths_.empty()) {
    if (!options_.columns.empty() && grows_ && std::find(chosen_.begin(), chosen_.end(), SIZE_MAX) != chosen_.end()) {
      std::vector<ColumnInfo> all;
      for (const std::string& name : reader_->columns()) all.push_back({name, ColumnType::kMixed, ""});
      TRY_DO(choose_columns(all, options_));  // Says which one never came.
    }
    return nullptr;
  }
  fill_batch();
  return &batch_;
}

}  // namespace backstay::tables
