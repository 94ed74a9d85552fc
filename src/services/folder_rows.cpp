#include "services/folder_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "services/parquet_slices.hpp"

namespace backstay::services {

namespace {

bool is_note(const FoundFile& file) {
  return std::filesystem::path(file.name).filename().string().starts_with('_');
}

}  // namespace

std::optional<tables::TableKind> kind_of_folder(const std::vector<FoundFile>& files) {
  std::optional<tables::TableKind> kind;
  for (const FoundFile& file : files) {
    if (is_note(file)) continue;
    const auto found = tables::table_kind(file.name);
    if (!found || (kind && kind != found)) return std::nullopt;
    kind = found;
  }
  return kind;
}

FolderRows::FolderRows(const PlannedSlices& plan, const std::string& name, std::function<void(std::uint64_t)> on_bytes)
    : plan_(plan), name_(name), on_bytes_(std::move(on_bytes)) {
  // A digest that is made again needs no row.
  if (!plan.rule.empty()) return;
  kind_ = kind_of_folder(plan.files);
  mixed_ = !kind_ && std::any_of(plan.files.begin(), plan.files.end(),
                                 [](const FoundFile& file) { return !is_note(file) && tables::is_table(file.name); });
  if (!kind_) return;
  typed_ = kind_ == tables::TableKind::kParquet || kind_ == tables::TableKind::kArrow;
  // Without a profile Parquet's rows are counted as its footers tell.
  if (kind_ == tables::TableKind::kParquet && !plan.profile) return;
  const FoundFile& first = *std::find_if_not(plan.files.begin(), plan.files.end(), is_note);
  const std::string all = plan.files.size() == 1 ? first.name : fmt::format("{} (and files after it)", first.name);
  const tables::Partition whole{"", {}, plan.profile, false};
  if (typed_) {
    rows_.emplace(all, whole);
  } else {
    rows_.emplace(*tables::format_of(first.name), all, whole);
  }
}

/// An error of the file's content is kept, others are the caller's.
Result<void> FolderRows::note(Result<void> done) {
  if (done) return done;
  const ErrorCode code = done.error().code;
  if (code != ErrorCode::kInvalidArgument && code != ErrorCode::kUnsupported && code != ErrorCode::kResourceExhausted)
    return done;
  unreadable_ = std::move(done).error();
  rows_.reset();
  table_.reset();
  return {};
}

Result<void> FolderRows::begin(const FoundFile& file) {
  file_ = rows_ && !is_note(file) ? &file : nullptr;
  if (file_ == nullptr || !typed_) return {};
  auto table = tables::open_table(file.source, {file.name, {}, on_bytes_, true});
  if (!table) return note(Unexpected(std::move(table).error()));
  table_ = std::move(*table);
  return {};
}

Result<void> FolderRows::feed(std::span<const std::byte> piece) {
  if (file_ == nullptr || typed_ || !rows_) return {};
  return note(rows_->feed(piece));
}

Result<void> FolderRows::end() {
  if (file_ == nullptr || !rows_) return {};
  const FoundFile& file = *file_;
  file_ = nullptr;
  if (!typed_) return note(rows_->end_file());
  const std::unique_ptr<tables::TableReader> table = std::move(table_);
  return note(rows_->read(*table, file.name));
}

Result<std::uint64_t> FolderRows::rows_by_footers() const {
  std::uint64_t rows = 0;
  for (const FoundFile& file : plan_.files) {
    if (is_note(file)) continue;
    TRY(const tables::ParquetFooter footer, read_parquet_footer(file));
    rows += footer.rows;
  }
  return rows;
}

Result<std::optional<tables::RowSlice>> FolderRows::finish(std::vector<std::string>& warnings) {
  using Found = std::optional<tables::RowSlice>;
  if (mixed_)
    warnings.push_back(
        fmt::format("The files of {}={} are not all tables of one kind: the slice has no row count and no profile.",
                    plan_.by, name_));
  if (rows_) {
    auto whole = rows_->finish();
    if (whole) return Found(std::move((*whole)[0]));
    TRY_DO(note(Unexpected(std::move(whole).error())));
  }
  if (!kind_) return Found();
  std::optional<std::uint64_t> rows;
  if (kind_ == tables::TableKind::kParquet) {
    auto counted = rows_by_footers();
    if (counted) rows = *counted;
    if (!counted && !unreadable_) TRY_DO(note(Unexpected(std::move(counted).error())));
  }
  if (unreadable_)
    warnings.push_back(fmt::format("{} The slice {}={} has no {}profile.", unreadable_->message, plan_.by, name_,
                                   rows ? "" : "row count and no "));
  if (!rows) return Found();
  tables::RowSlice counted;
  counted.rows = *rows;
  return Found(std::move(counted));
}

}  // namespace backstay::services
