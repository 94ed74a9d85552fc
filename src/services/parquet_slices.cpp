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

Result<ParquetFile> read_parquet(const FoundFile& file, const ReadFile& read, const std::string& column) {
  TRY(const std::string tail, read_end(file, 0, tables::kParquetTailBytes));
  TRY(const std::uint32_t size, tables::parquet_footer_size(file.name, tail, file.size_bytes));
  TRY(const std::string footer, read_end(file, tables::kParquetTailBytes, size));
  ParquetFile out;
  TRY(out.footer, tables::parse_parquet_footer(file.name, footer, file.size_bytes, column));

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
  const ParquetFile* parquet = nullptr;
  std::size_t index = 0;
  std::uint64_t first = 0;  ///< Its first row among those of all files.

  const tables::ParquetFooter::RowGroup& facts() const { return parquet->footer.row_groups[index]; }
  std::uint64_t end() const { return first + facts().rows; }
};

ParquetPart part_of(const std::vector<Group>& groups) {
  ParquetPart out;
  Sha256 list;
  std::vector<const tables::ParquetFooter::RowGroup*> facts;
  for (const Group& group : groups) {
    list.update(
        fmt::format("{}  {}#{}\n", group.parquet->row_groups[group.index].hex(), group.file->name, group.index));
    facts.push_back(&group.facts());
    out.rows += group.facts().rows;
  }
  out.sha256 = list.finish();
  out.profile = tables::parquet_profile(groups[0].parquet->footer.columns, facts);
  return out;
}

Result<std::vector<ParquetPart>> parts_by_value(const std::vector<Group>& groups, const tables::Partition& partition) {
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
          "Rows of Parquet are not read. Write a row group per value, or use folders like site=a, or row_groups: "
          "true.");
    by_value[*value].push_back(group);
    if (by_value.size() > limit)
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("{} has more than {} values in '{}'.", group.file->name, limit, by),
                        "Partition by a column with few values, such as a site or a month.");
  }
  std::vector<ParquetPart> out;
  for (const auto& [value, those] : by_value) {
    out.push_back(part_of(those));
    out.back().value = value;
  }
  return out;
}

Result<ParquetPart> part_by_range(const std::vector<Group>& groups, std::uint64_t first, std::uint64_t last) {
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
                        "Rows of Parquet are not read: begin and end a range with row groups.");
    those.push_back(group);
  }
  ParquetPart out = part_of(those);
  out.first = first;
  out.last = last;
  return out;
}

}  // namespace

Result<std::vector<ParquetPart>> slice_parquet(const std::vector<FoundFile>& files, const tables::Partition& partition,
                                               const ReadFile& read) {
  std::vector<ParquetFile> parquet;
  parquet.reserve(files.size());
  std::vector<Group> groups;
  std::uint64_t row = 0;
  for (const FoundFile& file : files) {
    TRY(ParquetFile found, read_parquet(file, read, partition.column));
    parquet.push_back(std::move(found));
    if (parquet.back().footer.columns != parquet.front().footer.columns && !parquet.back().footer.columns.empty())
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("{} has other columns than {}.", file.name, files[0].name),
                        "Files of one data set have the same columns in the same order.");
    for (std::size_t i = 0; i < parquet.back().footer.row_groups.size(); ++i) {
      if (parquet.back().footer.row_groups[i].rows == 0) continue;
      groups.push_back({&file, &parquet.back(), i, row});
      row = groups.back().end();
    }
  }
  if (!partition.column.empty()) return parts_by_value(groups, partition);
  std::vector<ParquetPart> out;
  for (const auto& [first, last] : partition.ranges) {
    TRY(ParquetPart part, part_by_range(groups, first, last));
    out.push_back(std::move(part));
  }
  return out;
}

}  // namespace backstay::services
