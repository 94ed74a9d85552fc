#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace backstay::wire {

/// JSON of at most 16 MiB, not nested deeply, with no key twice in an object. `name` is what errors call it.
Result<nlohmann::json> parse_strict_json(const std::string& name, std::string_view text);

}  // namespace backstay::wire
