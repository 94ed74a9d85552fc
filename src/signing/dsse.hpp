#pragma once

#include <string>
#include <string_view>

namespace backstay::signing {

/// What a DSSE signature is over: "DSSEv1 <size> <type> <size> <payload>" (secure-systems-lab/dsse, protocol.md).
std::string pre_authentication(std::string_view payload_type, std::string_view payload);

}  // namespace backstay::signing
