#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace backstay::wire {

/// The JSON of what a model server sent, which is hostile input: nullopt when it is none, longer than 16 MiB, or nested
/// more deeply than any answer is.
std::optional<nlohmann::json> parse_answer(std::string_view body);

}  // namespace backstay::wire
