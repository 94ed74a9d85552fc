#include "services/parquet_slices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

namespace backstay::services {

namespace {

Result<std::string> read_end(const FoundFile& file, std::size_t skip, std::size_t size) {
  std::string out(size, '\0');
  std::ifstream in(file.source, std::ios::binary);
  in.seekg(-static_cast<std::streamoff>(skip + size), std::ios::end);
  in.read(out.data(), static_cast<std::streamsize>(size));
  if (!in)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} is not a sound Parquet file: it is too short.", file.name), "Write it again.");
  return out;
}

}  // namespace

namespace {

Result<std::string> read_footer_bytes(const FoundFile& file) {
  TRY(const std::string tail, read_end(file, 0, tables::kParquetTailBytes));
  TRY(const std::uint32_t size, tables::parquet_footer_size(file.name, tail, file.size_bytes));
  return read_end(file, tables::kParquetTailBytes, size);
}

}  // namespace

Result<tables::ParquetFooter> read_parquet_footer(const FoundFile& file, const std::string& column) {
  TRY(const std::string footer, read_footer_bytes(file));
  return tables::parse_parquet_footer(file.name, footer, file.size_bytes, column);
}

Result<ParquetFile> read_parquet(const FoundFile& file, const ReadFile& read, const std::string& column) {
  TRY(const std::string footer, read_footer_bytes(file));
  ParquetFile out;
  TRY(out.footer, tables::parse_parquet_footer(file.name, footer, file.size_bytes, column));

  const std::size_t size = footer.size();
  const std::uint64_t footer_begin = file.size_bytes - tables::kParquetTailBytes - size;
  std::vector<Sha256> groups(out.footer.row_groups.size());
  Sha256 whole;
  std::string seen;
  std::uint64_t at = 0;
  TRY_DO(read(file, [&](std::span<const std::byte> piece) -> Result<void> {
    whole.update(piece);
    const auto part = [&](std::uint64_t begin, std::uint64_t end) {
      const std::uint64_t from = std::clamp(begin, at, at + piece.size());
      const std::uint64_t to = std::clamp(end, from, at + piece.size());
      return piece.subspan(from - at, to - from);
    };
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const auto& group = out.footer.row_groups[i];
      if (const auto bytes = part(group.begin, group.end); !bytes.empty()) groups[i].update(bytes);
    }
    const auto bytes = part(footer_begin, footer_begin + size);
    seen.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    at += piece.size();
    return {};
  }));
  if (seen != footer)
    return Unexpected(ErrorCode::kConflict, fmt::format("{} changed while it was read.", file.name),
                      "Wait until whatever writes it is done, then register again.");
  out.sha256 = whole.finish();
  for (Sha256& group : groups) out.row_groups.push_back(group.finish());
  return out;
}

namespace {

/// One row group among those of all files.
struct Group {
  const FoundFile* file = nullptr;
  std::size_t file_index = 0;
  const tables::ParquetFooter* footer = nullptr;
  std::size_t index = 0;
  std::uint64_t first = 0;  ///< Its first row among those of all files.

  const tables::ParquetFooter::RowGroup& facts() const { return footer->row_groups[index]; }
  std::uint64_t end() const { return first + facts().rows; }
};

/// A part, and what it is made of.
struct PlannedPart {
  ParquetPart part;
  std::vector<Group> groups;
};

void fill_in(PlannedPart& planned, const std::vector<ParquetFile>& files) {
  Sha256 list;
  std::vector<const tables::ParquetFooter::RowGroup*> facts;
  for (const Group& group : planned.groups) {
    list.update(fmt::format("{}  {}#{}\n", files[group.file_index].row_groups[group.index].hex(), group.file->name,
                            group.index));
    facts.push_back(&group.facts());
    planned.part.rows += group.facts().rows;
  }
  planned.part.sha256 = list.finish();
  planned.part.profile = tables::parquet_profile(planned.groups[0].footer->columns, facts);
}

Result<std::vector<PlannedPart>> parts_by_value(const std::vector<Group>& groups, const tables::Partition& partition) {
  const std::string& by = partition.column;
  const std::size_t limit = tables::max_slices(partition.profile);
  std::map<std::string, std::vector<Group>> by_value;
  for (const Group& group : groups) {
    const std::optional<std::string>& value = group.facts().value;
    if (!value)
      return Unexpected(
          ErrorCode::kUnsupported,
          fmt::format("Row group {} of {} does not have one value only in '{}', or its statistics don't tell.",
                      group.index, group.file->name, by),
          "Write a row group per value, or use folders like site=a, or row_groups: true.");
    by_value[*value].push_back(group);
    if (by_value.size() > limit)
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("{} has more than {} values in '{}'.", group.file->name, limit, by),
                        "Partition by a column with few values, such as a site or a month.");
  }
  std::vector<PlannedPart> out;
  for (auto& [value, those] : by_value) {
    out.push_back({{}, std::move(those)});
    out.back().part.value = value;
  }
  return out;
}

Result<PlannedPart> part_by_range(const std::vector<Group>& groups, std::uint64_t first, std::uint64_t last) {
  const std::uint64_t rows = groups.empty() ? 0 : groups.back().end();
  if (last >= rows)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("There are {} rows, so there is no range {}-{}.", rows, first, last),
                      "Rows are counted from 0, over all files.");
  std::vector<Group> those;
  for (const Group& group : groups) {
    if (group.facts().rows == 0 || group.end() <= first || group.first > last) continue;
    if (group.first < first || group.end() > last + 1)
      return Unexpected(ErrorCode::kUnsupported,
                        fmt::format("The range {}-{} cuts row group {} of {}, which has rows {}-{}.", first, last,
                                    group.index, group.file->name, group.first, group.end() - 1),
                        "Begin and end a range with row groups.");
    those.push_back(group);
  }
  PlannedPart out{{}, std::move(those)};
  out.part.first = first;
  out.part.last = last;
  return out;
}

}  // namespace

Result<std::vector<ParquetPart>> slice_parquet(const std::vector<FoundFile>& files, const tables::Partition& partition,
                                               const ReadFile& read) {
  std::vector<tables::ParquetFooter> footers;
  footers.reserve(files.size());
  std::vector<Group> groups;
  std::uint64_t row = 0;
  for (const FoundFile& file : files) {
    TRY(tables::ParquetFooter footer, read_parquet_footer(file, partition.column));
    footers.push_back(std::move(footer));
    if (footers.back().columns != footers.front().columns && !footers.back().columns.empty())
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("{} has other columns than {}.", file.name, files[0].name),
                        "Files of one data set have the same columns in the same order.");
    for (std::size_t i = 0; i < footers.back().row_groups.size(); ++i) {
      if (footers.back().row_groups[i].rows == 0) continue;
      groups.push_back({&file, footers.size() - 1, &footers.back(), i, row});
      row = groups.back().end();
    }
  }
  std::vector<PlannedPart> parts;
  if (!partition.column.empty()) {
    TRY(parts, parts_by_value(groups, partition));
  }
  for (const auto& [first, last] : partition.ranges) {
    TRY(PlannedPart part, part_by_range(groups, first, last));
    parts.push_back(std::move(part));
  }
  std::vector<ParquetFile> whole;
  for (std::size_t i = 0; i < files.size(); ++i) {
    TRY(ParquetFile found, read_parquet(files[i], read, partition.column));
    if (found.footer.row_groups.size() != footers[i].row_groups.size())
      return Unexpected(ErrorCode::kConflict, fmt::format("{} changed while it was read.", files[i].name),
                        "Wait until whatever writes it is done, then register again.");
    whole.push_back(std::move(found));
  }
  std::vector<ParquetPart> out;
  for (PlannedPart& planned : parts) {
    fill_in(planned, whole);
    out.push_back(std::move(planned.part));
  }
  return out;
}

}  // namespace backstay::services
