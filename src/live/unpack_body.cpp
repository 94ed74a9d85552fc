#include "live/unpack_body.hpp"

#include <cstdint>

#include "tables/compression.hpp"

namespace backstay::live {

std::optional<std::string_view> unpacked(std::string_view body, const gateway::BodyForm& form, std::string& room) {
  using Packed = gateway::BodyForm::Packed;
  if (form.packed == Packed::kNo) return body;
  constexpr std::size_t kSizeBytes = 4;  // ISIZE, the last member of a gzip file (RFC 1952, 2.3.1).
  if (form.packed != Packed::kGzip || body.size() < kSizeBytes) return std::nullopt;
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < kSizeBytes; ++i)
    size |= std::uint32_t{static_cast<unsigned char>(body[body.size() - kSizeBytes + i])} << (8 * i);
  if (size > kMaxUnpacked || !tables::decompress(tables::Codec::kGzip, body, size, room).empty()) return std::nullopt;
  return std::string_view(room);
}

}  // namespace backstay::live
