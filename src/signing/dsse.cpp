#include "signing/dsse.hpp"

#include <fmt/format.h>

namespace backstay::signing {

std::string pre_authentication(std::string_view payload_type, std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type, payload.size(), payload);
}

}  // namespace backstay::signing
