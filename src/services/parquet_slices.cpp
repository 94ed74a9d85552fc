#include "services/parquet_slices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

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

Result<ParquetFile> read_parquet(const FoundFile& file, const ReadFile& read) {
  TRY(const std::string tail, read_end(file, 0, tables::kParquetTailBytes));
  TRY(const std::uint32_t size, tables::parquet_footer_size(file.name, tail, file.size_bytes));
  TRY(const std::string footer, read_end(file, tables::kParquetTailBytes, size));
  ParquetFile out;
  TRY(out.footer, tables::parse_parquet_footer(file.name, footer, file.size_bytes));

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

}  // namespace backstay::services
