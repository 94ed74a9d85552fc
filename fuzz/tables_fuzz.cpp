#include <string>
#include <string_view>

#include "fuzz/check.hpp"
#include "tables/row_slicer.hpp"
#include "wire/profile_json.hpp"

using namespace backstay;
using tables::Format;

namespace {

/// What a table is, read in pieces; empty when it was refused.
std::string digest_of(Format format, std::string_view text, std::size_t piece, const tables::Partition& partition) {
  tables::RowSlicer slicer(format, "f", partition);
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const std::string_view part = text.substr(at, piece);
    if (!slicer.feed(std::as_bytes(std::span(part.data(), part.size())))) return "";
  }
  if (!slicer.end_file()) return "";
  const auto slices = slicer.finish();
  if (!slices) return "";
  std::string out = "read";
  for (const tables::RowSlice& slice : *slices)
    out += slice.value + slice.sha256.hex() + (slice.profile ? wire::to_json(*slice.profile) : "");
  return out;
}

}  // namespace

/// Tables that strangers give: what is read must not depend on where pieces end, and partitions must not lose a row.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Format format : {Format::kCsv, Format::kTsv, Format::kJsonl}) {
    for (const tables::Partition& partition :
         {tables::Partition{""}, tables::Partition{"a"}, tables::Partition{"a", {}, false}}) {
      const std::string whole = digest_of(format, text, size + 1, partition);
      CHECK(digest_of(format, text, 3, partition) == whole);
    }
    // The canonical form of a table is a table of the same rows.
    std::string canonical;
    const auto reader = tables::make_row_reader(format, "f", [&](const tables::Row& row) -> Result<void> {
      CHECK(!row.canonical.empty() && row.canonical.back() == '\n');
      CHECK(row.canonical.find('\n') == row.canonical.size() - 1);
      canonical += row.canonical;
      return {};
    });
    if (!reader->feed(std::as_bytes(std::span(text.data(), text.size()))) || !reader->end_file()) continue;
    if (format != Format::kJsonl) continue;
    std::string again;
    const auto second = tables::make_row_reader(format, "f", [&](const tables::Row& row) -> Result<void> {
      again += row.canonical;
      return {};
    });
    CHECK(second->feed(std::as_bytes(std::span(canonical.data(), canonical.size()))) && second->end_file());
    CHECK(again == canonical);
  }
  return 0;
}
