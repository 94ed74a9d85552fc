#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "services/file_patterns.hpp"
#include "services/folder_rows.hpp"
#include "services/measure_data.hpp"
#include "tables/table_reader.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

Result<FoundFile> find_data_file(const fs::path& folder, const std::string& path) {
  TRY(const std::vector<FoundFile> found, find_files(folder, {{path, "x"}}));
  if (found.size() != 1 || found[0].name != "x")
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The slice {} is a folder.", path),
                      "Name each file as a slice of its own, or use files:.");
  return FoundFile{found[0].source, path, found[0].size_bytes};
}

namespace {

using registry::DataSlice;

/// The value in a path component KEY=VALUE; nothing when there is none.
std::optional<std::string> folder_value(const std::string& path, const std::string& key) {
  std::optional<std::string> value;
  for (const fs::path& part : fs::path(path).parent_path())
    if (part.string().starts_with(key + "=")) value = part.string().substr(key.size() + 1);
  return value;
}

void add_slice(registry::Manifest& manifest, PlannedSlices& plan, const std::string& name) {
  std::vector<DataSlice>& slices = manifest.data[plan.data_set].slices;
  plan.slice = slices.size();
  slices.emplace_back().name = name;
}

/// One slice per value of folders like site=a.
void plan_folders(const PlannedSlices& common, registry::Manifest& manifest, std::vector<PlannedSlices>& out) {
  std::map<std::string, PlannedSlices> by_value;
  for (const FoundFile& file : common.files) {
    PlannedSlices& part = by_value.try_emplace(*folder_value(file.name, common.by), common).first->second;
    if (!part.folders) part.files.clear();
    part.folders = true;
    part.files.push_back(file);
  }
  for (auto& [value, part] : by_value) {
    add_slice(manifest, part, value);
    manifest.data[part.data_set].slices.back().rule = {"files/1", part.by, value};
    out.push_back(std::move(part));
  }
}

Result<void> plan_set(const fs::path& folder, const wire::VersionSpec::SliceSet& set, registry::Manifest& manifest,
                      std::vector<PlannedSlices>& out) {
  PlannedSlices all;
  all.data_set = set.data_set;
  all.by = set.by;
  all.ranges = set.ranges;
  all.row_groups = set.row_groups;
  all.profile = set.profile;
  std::vector<std::string> names;
  for (const std::string& pattern : set.files) {
    TRY(const std::vector<MatchedFile> matched, match_files(folder, pattern));
    for (const MatchedFile& file : matched) {
      TRY(FoundFile found, find_data_file(folder, file.path));
      all.files.push_back(std::move(found));
      names.push_back(file.name);
    }
  }
  const bool in_folders = !set.by.empty() && std::all_of(all.files.begin(), all.files.end(), [&](const FoundFile& f) {
    return folder_value(f.name, set.by).has_value();
  });
  if (in_folders) {
    plan_folders(all, manifest, out);
    return {};
  }
  if (!set.by.empty() || !set.ranges.empty()) {
    const auto kind = tables::table_kind(all.files[0].name);
    for (const FoundFile& file : all.files)
      if (!kind || tables::table_kind(file.name) != kind)
        return Unexpected(
            ErrorCode::kUnsupported, fmt::format("The rows of {} can't be told apart.", file.name),
            "Use .csv, .tsv, .jsonl, .parquet or .arrow, one kind in a data set, or folders like site=a.");
    out.push_back(std::move(all));
    return {};
  }
  for (std::size_t i = 0; i < all.files.size(); ++i) {
    PlannedSlices part = all;
    part.files = {all.files[i]};
    if (!set.row_groups) add_slice(manifest, part, names[i]);
    out.push_back(std::move(part));
  }
  return {};
}

}  // namespace

bool PlannedSlices::reads_rows() const {
  if (files.empty() || !profile) return false;
  const auto kind = folders ? kind_of_folder(files) : tables::table_kind(files[0].name);
  return kind == tables::TableKind::kParquet || kind == tables::TableKind::kArrow;
}

std::uint64_t PlannedSlices::bytes() const {
  std::uint64_t total = 0;
  for (const FoundFile& file : files) total += file.size_bytes;
  return reads_rows() ? 2 * total : total;
}

Result<std::vector<PlannedSlices>> plan_data(const fs::path& folder, const wire::VersionSpec& spec,
                                             registry::Manifest& manifest) {
  std::vector<PlannedSlices> out;
  for (const wire::VersionSpec::SliceFile& file : spec.slice_files) {
    TRY(FoundFile found, find_data_file(folder, file.source.string()));
    PlannedSlices& plan = out.emplace_back();
    plan.data_set = file.data_set;
    plan.slice = file.slice;
    plan.files.push_back(std::move(found));
    if (file.range) plan.ranges.push_back(*file.range);
    plan.profile = file.profile;
  }
  for (const wire::VersionSpec::SliceSet& set : spec.slice_sets) TRY_DO(plan_set(folder, set, manifest, out));
  return out;
}

}  // namespace backstay::services
