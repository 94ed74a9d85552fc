#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "services/measure_data.hpp"
#include "tables/table_reader.hpp"

/// Digests of data, made and made again by anybody.
namespace backstay::cli {

using nlohmann::json;

namespace {

struct Arguments {
  std::string version;
  std::string slice;
  std::string folder = ".";
  std::vector<std::string> files;
  std::string by;
  std::vector<std::string> rows;
  bool row_groups = false;
};

Result<wire::VersionSpec> spec_of(const Arguments& arguments) {
  wire::VersionSpec spec;
  spec.manifest.data.emplace_back();
  wire::VersionSpec::SliceSet& set = spec.slice_sets.emplace_back();
  set.files = arguments.files;
  set.by = arguments.by;
  set.row_groups = arguments.row_groups;
  set.profile = false;
  for (const std::string& text : arguments.rows) {
    const auto range = wire::parse_row_range(text);
    if (!range)
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no range of rows.", text),
                        "Write the first and the last row, counted from 0, like 0-999.");
    set.ranges.push_back(*range);
  }
  if ((set.by.empty() ? 0 : 1) + (set.ranges.empty() ? 0 : 1) + (set.row_groups ? 1 : 0) > 1)
    return Unexpected(ErrorCode::kInvalidArgument, "--by, --rows and --row-groups exclude each other.",
                      "Give one of the three.");
  return spec;
}

Result<ExitCode> digest(const Context& context, const Arguments& arguments) {
  TRY(const wire::VersionSpec spec, spec_of(arguments));
  registry::Manifest manifest = spec.manifest;
  TRY(const auto plan, services::plan_data("", spec, manifest));
  std::vector<std::string> warnings;
  const services::DataSinks sinks{
      [](const services::FoundFile& file, const auto& sink) { return services::read_file(file.source, sink); },
      {},
      warnings};
  TRY_DO(services::measure_data(plan, sinks, manifest));
  for (const std::string& warning : warnings) fmt::print(stderr, "warning: {}\n", warning);
  if (context.common.json) {
    json out = json::array();
    for (const auto& slice : manifest.data[0].slices)
      out.push_back({{"name", slice.name},
                     {"sha256", slice.sha256.hex()},
                     {"rows", slice.rows > 0 || !slice.rule.kind.starts_with("files/") ? json(slice.rows) : json()}});
    print_json(out);
    return kOk;
  }
  for (const auto& slice : manifest.data[0].slices)
    fmt::print("{}  {}{}\n", slice.sha256.hex(), slice.name,
               slice.rows > 0 ? fmt::format("  {} rows", slice.rows) : "");
  return kOk;
}

/// "same", "changed", "missing" or "unknown" (no sources were recorded).
Result<std::string> compare(const std::filesystem::path& folder, const registry::DataSlice& slice) {
  const auto again = services::digest_again(folder, slice);
  if (again) return std::string(*again == slice.sha256 ? "same" : "changed");
  switch (again.error().code) {
    case ErrorCode::kNotFound: return std::string("missing");
    case ErrorCode::kUnsupported: return std::string("unknown");
    case ErrorCode::kInvalidArgument: return std::string("changed");  // What was a table is none any more.
    default: return Unexpected(again.error());
  }
}

Result<ExitCode> verify(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const registry::VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY(const StoredVersion stored, opened->registry().versions.version(ref));
  TRY(const registry::Manifest manifest, services::manifest_of(stored));
  json out = json::array();
  std::vector<std::vector<std::string>> rows{{"SLICE", "STATE", "SHA-256", "FROM"}};
  ExitCode code = kOk;
  for (const registry::DataSet& set : manifest.data) {
    for (const registry::DataSlice& slice : set.slices) {
      TRY(const std::string state, compare(arguments.folder, slice));
      if (state == "changed") code = kIntegrity;
      if (state == "missing" && code == kOk) code = kNotFound;
      out.push_back({{"data_set", set.name}, {"slice", slice.name}, {"state", state}, {"sha256", slice.sha256.hex()}});
      rows.push_back({set.name + "/" + slice.name, state, slice.sha256.hex().substr(0, 12),
                      slice.sources.empty() ? "" : slice.sources[0] + (slice.sources.size() > 1 ? ", ..." : "")});
    }
  }
  if (context.common.json) {
    print_json(out);
  } else {
    fmt::print("{}", table(rows));
  }
  return code;
}

/// The slice of a version by "DATA_SET/SLICE".
Result<const registry::DataSlice*> find_slice(const registry::Manifest& manifest, const std::string& name) {
  std::vector<std::string> names;
  for (const registry::DataSet& set : manifest.data) {
    for (const registry::DataSlice& slice : set.slices) {
      names.push_back(set.name + "/" + slice.name);
      if (names.back() == name) return &slice;
    }
  }
  constexpr std::size_t kShown = 10;
  const bool more = names.size() > kShown;
  names.resize(std::min(names.size(), kShown));
  return Unexpected(ErrorCode::kNotFound, fmt::format("{} has no slice '{}'.", manifest.ref.str(), name),
                    fmt::format("There are: {}{}.", fmt::join(names, ", "), more ? ", ..." : ""));
}

std::string why_no_profile(const registry::DataSlice& slice) {
  if (slice.sources.empty()) return "Its data was not read by register: only its digest was given.";
  const auto is_table = [](const std::string& source) { return tables::is_table(source); };
  if (std::none_of(slice.sources.begin(), slice.sources.end(), is_table))
    return "Only .csv, .tsv, .jsonl, .parquet and .arrow files have one.";
  return "Its rows were not asked for (profile: false) or could not be read, of which register warned. backstay "
         "register "
         "--dry-run reads them again.";
}

std::string cell(const json& column, const char* key) {
  const auto value = column.find(key);
  if (value == column.end()) return "";
  return value->is_number() ? fmt::format("{:.6g}", value->get<double>()) : value->dump();
}

Result<ExitCode> profile(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const registry::VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY(const StoredVersion stored, opened->registry().versions.version(ref));
  TRY(const registry::Manifest manifest, services::manifest_of(stored));
  TRY(const registry::DataSlice* slice, find_slice(manifest, arguments.slice));
  if (slice->profile_sha256.empty())
    return Unexpected(ErrorCode::kNotFound, fmt::format("The slice '{}' has no profile.", arguments.slice),
                      why_no_profile(*slice));
  TRY(const Digest digest, Digest::from_hex(slice->profile_sha256));
  std::string text;
  TRY_DO(opened->registry().blobs.read(digest, [&](std::span<const std::byte> piece) -> Result<void> {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  const json profile = json::parse(text, nullptr, false);
  if (!profile.is_object() || !profile.contains("columns") || !profile["columns"].is_array())
    return Unexpected(ErrorCode::kIntegrity, fmt::format("The profile of '{}' is no profile.", arguments.slice),
                      "Run backstay fsck.");
  if (context.common.json) {
    print_json(profile);
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{{"COLUMN", "TYPE", "MISSING", "MIN", "MAX", "MEAN", "DISTINCT"}};
  for (const json& column : profile["columns"])
    rows.push_back({column.value("name", ""), column.value("type", ""), cell(column, "missing"), cell(column, "min"),
                    cell(column, "max"), cell(column, "mean"), cell(column, "distinct")});
  fmt::print("{}  {} rows\n{}", arguments.slice, slice->rows, table(rows));
  return kOk;
}

}  // namespace

void add_slice_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* slice = context.app.add_subcommand("slice", "Digests of named parts of data");
  slice->require_subcommand(1);

  CLI::App* command =
      context.add(*slice, "digest", "Digest data as register does", "backstay slice digest all.csv --by site");
  command->add_option("FILES", a.files, "Files, folders or patterns in quotes")->required();
  command->add_option("--by", a.by, "One slice per value of this column, or of folders like KEY=value");
  command->add_option("--rows", a.rows, "One slice per range of rows, like 0-999")->delimiter(',');
  command->add_flag("--row-groups", a.row_groups, "One slice per row group of Parquet files");
  context.on(command, [context, arguments] { return digest(context, *arguments); });

  command = context.add(*slice, "verify", "Digest a version's data again; exit 0 same, 9 changed, 3 missing",
                        "backstay slice verify breast-cancer@1.1.0 --folder training");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  command->add_option("--folder", a.folder, "Where version.yaml was: sources are relative to it")
      ->capture_default_str();
  context.on(command, [context, arguments] { return verify(context, *arguments); });

  command = context.add(*slice, "profile", "Show a slice's profile: types, missing values, ranges",
                        "backstay slice profile breast-cancer@1.1.0 wdbc/site-a");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  command->add_option("SLICE", a.slice, "DATA_SET/SLICE")->required();
  context.on(command, [context, arguments] { return profile(context, *arguments); });
}

}  // namespace backstay::cli
