#include "wire/version_spec.hpp"

#include <fmt/format.h>

#include <charconv>

#include "wire/manifest_fields.hpp"

namespace backstay::wire {

namespace {

using namespace registry;

void read_files(Fields& fields, const char* key, std::vector<LocalFile>& out) {
  fields.each_text_or_object(
      key,
      [&](const std::string& path) {
        out.push_back({path, path});
      },
      [&](Fields& file) {
        LocalFile& item = out.emplace_back();
        std::string path;
        file.required("path", path);
        item.source = path;
        item.name = path;
        file.optional("as", item.name);
      });
}

void read_range(Fields& fields, const char* key, const std::string& text, std::vector<RowRange>& out) {
  if (const auto range = parse_row_range(text)) {
    out.push_back(*range);
  } else {
    fields.fail(key, fmt::format("holds '{}', which is no range of rows", text),
                "Write the first and the last row, counted from 0, like 0-999.");
  }
}

/// The data set's rule for making slices of files; gives whether its slices are profiled.
bool read_slice_set(Fields& fields, VersionSpec& spec) {
  VersionSpec::SliceSet set;
  set.data_set = spec.manifest.data.size() - 1;
  std::vector<std::string> ranges;
  fields.optional_texts("files", set.files);
  fields.optional("by", set.by);
  fields.optional_texts("rows", ranges);
  fields.optional("row_groups", set.row_groups);
  fields.optional("profile", set.profile);
  for (const std::string& text : ranges) read_range(fields, "rows", text, set.ranges);
  const int rules = (set.by.empty() ? 0 : 1) + (ranges.empty() ? 0 : 1) + (set.row_groups ? 1 : 0);
  if (rules > 1) fields.fail("by", "goes with neither rows nor row_groups", "Give one of the three.");
  if (rules > 0 && set.files.empty()) fields.fail("files", "is missing", "Say which files are to be sliced.");
  if (!set.files.empty()) spec.slice_sets.push_back(set);
  return set.profile;
}

void read_slice(Fields& fields, VersionSpec& spec, bool profile) {
  std::vector<DataSlice>& slices = spec.manifest.data.back().slices;
  std::string file;
  fields.optional("file", file);
  if (file.empty() != fields.has("sha256"))
    fields.fail("file", "or sha256 must be given, and not both",
                "Name the slice's file so that it is hashed, or give the digest you have.");
  std::string range;
  std::vector<RowRange> ranges;
  fields.optional("range", range);
  if (!range.empty()) read_range(fields, "range", range, ranges);
  if (file.empty()) return read_digest(fields, "sha256", slices.back().sha256);
  spec.slice_files.push_back({spec.manifest.data.size() - 1, slices.size() - 1, file,
                              ranges.empty() ? std::nullopt : std::optional(ranges[0]), profile});
}

}  // namespace

std::optional<RowRange> parse_row_range(std::string_view text) {
  RowRange range;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, range.first);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-') return std::nullopt;
  const auto last = std::from_chars(first.ptr + 1, end, range.second);
  if (last.ec != std::errc{} || last.ptr != end || range.second < range.first) return std::nullopt;
  constexpr std::uint64_t kMost = 9'000'000'000'000'000;
  return range.second > kMost ? std::nullopt : std::optional(range);
}

namespace {

/// "file" (one text or a list of them) names files; everything else is configuration itself.
void read_config(Fields& fields, VersionSpec& spec) {
  std::map<std::string, std::string>& config = spec.manifest.config;
  fields.flattened("config", config);
  if (const auto one = config.find("file"); one != config.end()) {
    spec.config_files.push_back(one->second);
    config.erase(one);
  }
  for (std::size_t i = 0;; ++i) {
    const auto item = config.find(fmt::format("file[{}]", i));
    if (item == config.end()) return;
    spec.config_files.push_back(item->second);
    config.erase(item);
  }
}

}  // namespace

Result<VersionSpec> version_spec_from(const Document& document) {
  VersionSpec spec;
  Fields fields(document);
  read_files(fields, "artifacts", spec.artifacts);
  bool profile = true;
  const FileReaders files{[&](Fields& code) { read_files(code, "preprocessing", spec.preprocessing); },
                          [&](Fields& slice) { read_slice(slice, spec, profile); },
                          [&](Fields& set) { profile = read_slice_set(set, spec); },
                          [&](Fields& environment) { read_files(environment, "lock_files", spec.lock_files); },
                          [&](Fields& all) { read_config(all, spec); }};
  read_members(fields, files, spec.manifest);
  if (spec.artifacts.empty())
    fields.fail("artifacts", "is missing or empty", "List the model's files or folders, e.g. artifacts: [model.onnx].");
  TRY_DO(fields.finish());
  return spec;
}

}  // namespace backstay::wire
