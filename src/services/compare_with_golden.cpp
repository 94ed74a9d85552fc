#include "services/compare_with_golden.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/evaluation/measures.hpp"
#include "services/local_files.hpp"
#include "wire/answers_jsonl.hpp"

namespace backstay::services {

Result<registry::Metric> compare_with_golden(const evaluation::Set& set, const std::filesystem::path& folder,
                                             const evaluation::NamedTensor& output, std::uint64_t rows) {
  const std::filesystem::path path = folder / set.golden;
  std::vector<bool> seen(rows, false);
  std::uint64_t line_number = 0;
  std::uint64_t same = 0;
  std::string rest;
  const auto take = [&](std::string_view line) -> Result<void> {
    ++line_number;
    if (line.empty()) return {};
    const std::string name = fmt::format("{} line {}", set.golden, line_number);
    TRY(const wire::RecordedAnswer recorded, wire::answer_from_json(name, line));
    if (recorded.set != set.name) return {};
    if (recorded.row >= rows || seen[recorded.row])
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("{} is for row {}, which is {}.", name, recorded.row + 1,
                                    recorded.row >= rows ? "beyond the set" : "there twice"),
                        "Record the answers of this set anew: backstay evaluate --answers FILE.");
    seen[recorded.row] = true;
    if (wire::same_answer(output, recorded.row, recorded)) ++same;
    return {};
  };
  const auto each_line = [&](std::span<const std::byte> piece) -> Result<void> {
    rest.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      TRY_DO(take(std::string_view(rest).substr(begin, end - begin)));
      begin = end + 1;
    }
    rest.erase(0, begin);
    return {};
  };
  TRY_DO(read_file(path, each_line));
  TRY_DO(take(rest));
  const auto missing = static_cast<std::uint64_t>(std::count(seen.begin(), seen.end(), false));
  if (missing > 0)
    return Unexpected(
        ErrorCode::kInvalidArgument,
        fmt::format("{} has no answers for {} of the {} rows of the set '{}'.", set.golden, missing, rows, set.name),
        "Record the answers of this set anew: backstay evaluate --answers FILE.");
  const auto mismatches = static_cast<double>(rows - same);
  return evaluation::metric_of("golden_mismatches", mismatches, rows, {mismatches, mismatches});
}

}  // namespace backstay::services
