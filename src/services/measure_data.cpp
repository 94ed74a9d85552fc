#include "services/measure_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "domain/drift/whole_profile.hpp"
#include "services/folder_rows.hpp"
#include "services/parquet_slices.hpp"
#include "services/table_slices.hpp"
#include "tables/row_slicer.hpp"
#include "wire/profile_json.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

using registry::DataSlice;

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

/// Counted rows; what version.yaml says of them must be true.
Result<void> set_rows(DataSlice& slice, std::uint64_t counted, const std::string& where) {
  if (slice.rows != 0 && slice.rows != counted)
    return invalid(fmt::format("version.yaml says that the slice '{}' has {} rows, but {} has {}.", slice.name,
                               slice.rows, where, counted),
                   "Correct it, or leave rows out: they are counted.");
  slice.rows = counted;
  return {};
}

/// Of a data set's slices together.
struct Whole {
  drift::WholeProfile profile;
  bool rows_unread = false;  ///< Of some slice only a footer is known.
};

class Measurement {
 public:
  Measurement(const PlannedSlices& plan, const DataSinks& sinks, registry::Manifest& manifest, Whole& whole)
      : plan_(plan), sinks_(sinks), slices_(manifest.data[plan.data_set].slices), whole_(whole) {}

  Result<void> run() {
    if (plan_.folders) return measure_folder();
    if (plan_.row_groups) return measure_row_groups();
    const auto kind = tables::table_kind(plan_.files[0].name);
    if (plan_.by.empty() && plan_.ranges.empty()) {
      if (plan_.profile && kind == tables::TableKind::kParquet) return measure_parquet();
      if (plan_.profile && kind == tables::TableKind::kArrow) return measure_arrow();
      return measure_file(plan_.files[0]);
    }
    if (kind == tables::TableKind::kParquet) return measure_parquet_parts();
    if (kind == tables::TableKind::kArrow) return measure_typed_rows();
    return measure_rows();
  }

 private:
  Result<void> keep_profile(const tables::RowSlice& rows, DataSlice& slice) {
    if (!plan_.profile) return {};
    for (const std::string& each : rows.warnings)
      if (std::find(sinks_.warnings.begin(), sinks_.warnings.end(), each) == sinks_.warnings.end())
        sinks_.warnings.push_back(each);
    if (!rows.profile) return {};
    whole_.profile.add(*rows.profile);
    return keep_json(wire::to_json(*rows.profile), slice);
  }
  Result<void> keep_footer(const std::string& json, DataSlice& slice) {
    if (!plan_.profile) return {};
    whole_.rows_unread = whole_.rows_unread || slice.rows > 0;
    return keep_json(json, slice);
  }
  Result<void> keep_json(const std::string& json, DataSlice& slice) {
    TRY(const Digest digest, sinks_.keep_profile(json));
    slice.profile_sha256 = digest.hex();
    return {};
  }

  std::vector<std::string> sources() const {
    std::vector<std::string> out;
    for (const FoundFile& file : plan_.files) out.push_back(file.name);
    return out;
  }

  /// Hashes the bytes; the rows of a text table are counted and profiled on the way. A table that is not strictly one
  /// keeps its digest and has its lines counted.
  Result<void> measure_file(const FoundFile& file) {
    DataSlice& slice = slices_[*plan_.slice];
    const auto format = tables::format_of(file.name);
    std::optional<tables::RowSlicer> rows;
    if (format) rows.emplace(*format, file.name, tables::Partition{"", {}, plan_.profile});
    Result<void> readable;
    Sha256 hash;
    std::uint64_t lines = 0;
    std::byte last{'\n'};
    TRY_DO(sinks_.read(file, [&](std::span<const std::byte> piece) -> Result<void> {
      hash.update(piece);
      if (!rows) return {};
      lines += static_cast<std::uint64_t>(std::count(piece.begin(), piece.end(), std::byte{'\n'}));
      last = piece.back();
      if (readable) readable = rows->feed(piece);
      return {};
    }));
    slice.sha256 = hash.finish();
    slice.sources = sources();
    if (!rows) return {};
    if (readable) readable = rows->end_file();
    if (readable) {
      TRY(const std::vector<tables::RowSlice> whole, rows->finish());
      TRY_DO(set_rows(slice, whole[0].rows, file.name));
      return keep_profile(whole[0], slice);
    }
    if (last != std::byte{'\n'}) ++lines;
    if (slice.rows == 0) slice.rows = lines > 0 && format != tables::Format::kJsonl ? lines - 1 : lines;
    sinks_.warnings.push_back(
        fmt::format("{} The slice has no profile, and its rows are counted as lines.", readable.error().message));
    return {};
  }

  Result<void> measure_parquet() {
    auto tables = OpenTables::open(plan_.files, sinks_.advance);
    auto parquet = read_parquet(plan_.files[0], sinks_.read);
    if (!parquet && parquet.error().code != ErrorCode::kInvalidArgument &&
        parquet.error().code != ErrorCode::kUnsupported)
      return Unexpected(std::move(parquet).error());
    if (!parquet) {
      sinks_.warnings.push_back(fmt::format("{} The slice has no profile.", parquet.error().message));
      return measure_file(plan_.files[0]);
    }
    DataSlice& slice = slices_[*plan_.slice];
    slice.sha256 = parquet->sha256;
    slice.sources = sources();
    TRY_DO(set_rows(slice, parquet->footer.rows, plan_.files[0].name));
    TRY(const std::vector<tables::RowSlice> rows, profiles_of_rows(std::move(tables), {}));
    return rows.empty() ? keep_footer(parquet->footer.profile(std::nullopt), slice) : keep_profile(rows[0], slice);
  }

  Result<void> measure_arrow() {
    auto tables = OpenTables::open(plan_.files, sinks_.advance);
    TRY_DO(measure_file(plan_.files[0]));
    TRY(const std::vector<tables::RowSlice> rows, profiles_of_rows(std::move(tables), {}));
    if (rows.empty()) return {};
    DataSlice& slice = slices_[*plan_.slice];
    TRY_DO(set_rows(slice, rows[0].rows, plan_.files[0].name));
    return keep_profile(rows[0], slice);
  }

  /// Slices with profiles and without digests. Rows that can't be read are a warning, and then there are none.
  Result<std::vector<tables::RowSlice>> profiles_of_rows(Result<OpenTables> tables, tables::Partition partition) {
    if (!plan_.profile) return std::vector<tables::RowSlice>();
    partition.digest = false;
    auto rows = tables ? tables->slice(partition)
                       : Result<std::vector<tables::RowSlice>>(Unexpected(std::move(tables).error()));
    if (rows) return rows;
    const ErrorCode code = rows.error().code;
    if (code != ErrorCode::kInvalidArgument && code != ErrorCode::kUnsupported && code != ErrorCode::kResourceExhausted)
      return rows;
    sinks_.warnings.push_back(
        fmt::format("{} The profile is only what the file's footer tells.", rows.error().message));
    return std::vector<tables::RowSlice>();
  }

  Result<void> measure_row_groups() {
    const std::size_t limit = tables::max_slices(plan_.profile);
    auto tables = OpenTables::open(plan_.files, sinks_.advance);
    TRY(const ParquetFile parquet, read_parquet(plan_.files[0], sinks_.read));
    const auto& groups = parquet.footer.row_groups;
    if (groups.size() > limit)
      return Unexpected(
          ErrorCode::kResourceExhausted, fmt::format("{} has more than {} row groups.", plan_.files[0].name, limit),
          "Write it with larger row groups, or name it as one slice. With profile: false 10000 are allowed.");
    tables::Partition partition;
    std::uint64_t row = 0;
    for (const auto& group : groups) {
      if (group.rows > 0) partition.ranges.emplace_back(row, row + group.rows - 1);
      row += group.rows;
    }
    std::vector<tables::RowSlice> rows;
    if (!partition.ranges.empty()) {
      TRY(rows, profiles_of_rows(std::move(tables), partition));
    }
    const std::string name = fs::path(plan_.files[0].name).filename().string();
    std::size_t next = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      DataSlice& slice = slices_.emplace_back();
      slice.name = fmt::format("{}#{}", name, i);
      slice.sha256 = parquet.row_groups[i];
      slice.rows = groups[i].rows;
      slice.rule = {"row-group/1", "", "", i, i};
      slice.sources = sources();
      const bool has_rows = groups[i].rows > 0 && !rows.empty();
      TRY_DO(has_rows ? keep_profile(rows[next++], slice) : keep_footer(parquet.footer.profile(i), slice));
    }
    return {};
  }

  /// By whole row groups where these are what is asked for, by rows otherwise.
  Result<void> measure_parquet_parts() {
    if (plan_.rule == "rows/1") return measure_typed_rows();
    auto tables = OpenTables::open(plan_.files, sinks_.advance);
    const auto found = slice_parquet(plan_.files, {plan_.by, plan_.ranges, plan_.profile}, sinks_.read);
    if (!found && found.error().code == ErrorCode::kUnsupported && plan_.rule.empty()) return measure_typed_rows();
    if (!found) return Unexpected(Error(found.error()));
    TRY(const std::vector<tables::RowSlice> rows,
        profiles_of_rows(std::move(tables), {plan_.by, plan_.ranges, plan_.profile}));
    for (std::size_t i = 0; i < found->size(); ++i) {
      const ParquetPart& each = (*found)[i];
      DataSlice& slice = slice_for(each.value, each.first, each.last);
      slice.sha256 = each.sha256;
      TRY_DO(set_rows(slice, each.rows, plan_.files[0].name));
      slice.rule = {"row-groups/1", plan_.by, each.value, each.first, each.last};
      // A value's row groups are looked for in all of them again.
      slice.sources = sources();
      const bool has_rows = rows.size() == found->size() && rows[i].value == each.value;
      TRY_DO(has_rows ? keep_profile(rows[i], slice) : keep_footer(each.profile, slice));
    }
    return {};
  }

  Result<void> measure_typed_rows() {
    TRY(OpenTables tables, OpenTables::open(plan_.files, sinks_.advance));
    TRY(const std::vector<tables::RowSlice> found, tables.slice({plan_.by, plan_.ranges, plan_.profile}));
    return keep_rows(found, plan_.files[0].name);
  }

  /// The slice of the plan, or a new one that is named after what it holds.
  DataSlice& slice_for(const std::string& value, std::uint64_t first, std::uint64_t last) {
    if (plan_.slice) return slices_[*plan_.slice];
    DataSlice& slice = slices_.emplace_back();
    slice.name = plan_.by.empty() ? fmt::format("{}-{}", first, last) : value.empty() ? "(empty)" : value;
    return slice;
  }

  /// The digest is that of the list of files, whatever they are. Where all of them are tables of one kind their rows
  /// are counted and profiled, one file after the other.
  Result<void> measure_folder() {
    DataSlice& slice = slices_[*plan_.slice];
    FolderRows rows(plan_, slice.name, sinks_.advance);
    Sha256 list;
    for (const FoundFile& file : plan_.files) {
      TRY_DO(rows.begin(file));
      Sha256 hash;
      TRY_DO(sinks_.read(file, [&](std::span<const std::byte> piece) -> Result<void> {
        hash.update(piece);
        return rows.feed(piece);
      }));
      TRY_DO(rows.end());
      list.update(fmt::format("{}  {}\n", hash.finish().hex(), file.name));
    }
    slice.sha256 = list.finish();
    slice.sources = sources();
    TRY(const std::optional<tables::RowSlice> whole, rows.finish(sinks_.warnings));
    if (!whole) return {};
    slice.rows = whole->rows;
    return keep_profile(*whole, slice);
  }

  /// Of a table whose rows can't be told apart its bytes can still be one slice.
  static Result<void> or_whole(Result<void> done) {
    if (done || done.error().code != ErrorCode::kInvalidArgument) return done;
    Error error = std::move(done).error();
    error.hint += " Or name the file as one slice, without by: and rows:.";
    return Unexpected(std::move(error));
  }

  Result<void> measure_rows() {
    const std::string name =
        plan_.files.size() == 1 ? plan_.files[0].name : fmt::format("{} (and files after it)", plan_.files[0].name);
    const auto format = tables::format_of(plan_.files[0].name);
    if (!format)
      return Unexpected(ErrorCode::kUnsupported, fmt::format("The rows of {} can't be told apart.", name),
                        "Use .csv, .tsv, .jsonl, .parquet or .arrow.");
    tables::RowSlicer rows(*format, name, {plan_.by, plan_.ranges, plan_.profile});
    for (const FoundFile& file : plan_.files) {
      TRY_DO(sinks_.read(file, [&](std::span<const std::byte> piece) { return or_whole(rows.feed(piece)); }));
      TRY_DO(or_whole(rows.end_file()));
    }
    TRY(const std::vector<tables::RowSlice> found, rows.finish());
    return keep_rows(found, name);
  }

  Result<void> keep_rows(const std::vector<tables::RowSlice>& found, const std::string& name) {
    for (const tables::RowSlice& each : found) {
      DataSlice& slice = slice_for(each.value, each.first, each.last);
      slice.sha256 = each.sha256;
      TRY_DO(set_rows(slice, each.rows, name));
      slice.rule = {"rows/1", plan_.by, each.value, each.first, each.last};
      slice.sources = sources();
      TRY_DO(keep_profile(each, slice));
    }
    return {};
  }

  const PlannedSlices& plan_;
  const DataSinks& sinks_;
  std::vector<DataSlice>& slices_;
  Whole& whole_;
};

}  // namespace

Result<void> measure_data(const std::vector<PlannedSlices>& plan, const DataSinks& sinks,
                          registry::Manifest& manifest) {
  std::map<std::size_t, Whole> wholes;
  for (const PlannedSlices& part : plan) TRY_DO(Measurement(part, sinks, manifest, wholes[part.data_set]).run());
  for (const auto& [data_set, whole] : wholes) {
    if (whole.profile.parts() < 2 || whole.rows_unread) continue;
    TRY(const Digest digest, sinks.keep_profile(wire::to_json(whole.profile.profile())));
    manifest.data[data_set].profile_sha256 = digest.hex();
  }
  return {};
}

Result<Digest> digest_again(const fs::path& folder, const DataSlice& slice) {
  if (slice.sources.empty())
    return Unexpected(ErrorCode::kUnsupported, fmt::format("It is not recorded what '{}' was read from.", slice.name),
                      "Compare its digest with where the data is kept.");
  registry::Manifest scratch;
  scratch.data.emplace_back().slices.push_back(slice);
  scratch.data[0].slices[0].rows = 0;  // Another count is another digest, which is what is asked for.
  PlannedSlices plan;
  plan.profile = false;
  plan.by = slice.rule.column;
  for (const std::string& source : slice.sources) {
    TRY(FoundFile found, find_data_file(folder, source));
    plan.files.push_back(std::move(found));
  }
  plan.rule = slice.rule.kind;
  plan.folders = slice.rule.kind == "files/1";
  const bool by_rows = slice.rule.kind == "rows/1" || slice.rule.kind == "row-groups/1";
  const bool by_value = by_rows && !plan.by.empty();
  if (by_rows && !by_value) plan.ranges.emplace_back(slice.rule.first, slice.rule.last);
  if (slice.rule.kind == "row-group/1") plan.row_groups = true;
  const bool makes_many = by_value || plan.row_groups;
  if (!makes_many) plan.slice = 0;
  std::vector<std::string> warnings;
  const DataSinks sinks{
      [](const FoundFile& file, const auto& sink) { return read_file(file.source, sink); }, {}, warnings};
  if (auto measured = measure_data({plan}, sinks, scratch); !measured) {
    Error& error = measured.error();
    // It could be made once: what can't be any more was changed.
    if (error.code == ErrorCode::kUnsupported) error.code = ErrorCode::kInvalidArgument;
    return Unexpected(std::move(error));
  }
  const std::vector<DataSlice>& made = scratch.data[0].slices;
  if (!makes_many) return made[0].sha256;
  for (std::size_t i = 1; i < made.size(); ++i)
    if (made[i].rule == slice.rule) return made[i].sha256;
  return Unexpected(ErrorCode::kNotFound, fmt::format("The data has no part '{}' any more.", slice.name),
                    "It was changed since the version was registered.");
}

}  // namespace backstay::services
