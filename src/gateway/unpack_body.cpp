#include "gateway/unpack_body.hpp"

#include "tables/compression.hpp"

namespace backstay::gateway {

std::optional<std::string_view> unpacked(std::string_view body, const BodyForm& form, std::string& room) {
  switch (form.packed) {
    case BodyForm::Packed::kNo: return body;
    case BodyForm::Packed::kGzip: return tables::inflate_up_to(body, kMaxUnpacked, room);
    case BodyForm::Packed::kOther: break;
  }
  return std::nullopt;
}

}  // namespace backstay::gateway
