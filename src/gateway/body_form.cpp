#include "gateway/body_form.hpp"

#include <charconv>

#include "gateway/http1.hpp"
#include "tables/compression.hpp"

namespace backstay::gateway {

BodyForm form_of(const http1::Head& head) {
  BodyForm out;
  const std::string_view encoding = head.find("content-encoding");
  if (http1::equals_ignoring_case(encoding, "gzip") || http1::equals_ignoring_case(encoding, "x-gzip") ||
      http1::equals_ignoring_case(encoding, "deflate")) {
    out.packed = BodyForm::Packed::kGzip;
  } else if (!encoding.empty() && !http1::equals_ignoring_case(encoding, "identity")) {
    out.packed = BodyForm::Packed::kOther;
  }
  const std::string_view length = head.find("inference-header-content-length");
  std::uint32_t bytes = 0;
  const auto [end, wrong] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (wrong == std::errc{} && end == length.data() + length.size()) out.json_bytes = bytes;
  return out;
}

std::optional<std::string_view> unpacked(std::string_view body, const BodyForm& form, std::string& room) {
  switch (form.packed) {
    case BodyForm::Packed::kNo: return body;
    case BodyForm::Packed::kGzip: return tables::inflate_up_to(body, kMaxUnpacked, room);
    case BodyForm::Packed::kOther: break;
  }
  return std::nullopt;
}

}  // namespace backstay::gateway
