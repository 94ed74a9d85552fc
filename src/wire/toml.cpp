#include "wire/toml.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 1
#include <toml++/toml.h>

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;

std::string text_of(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) { out << value; });
  return out.str();
}

/// The parser bounds how deep values are nested.
json to_json(const toml::node& node) {
  if (const toml::table* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = to_json(value);
    return object;
  }
  if (const toml::array* array = node.as_array()) {
    json list = json::array();
    for (const toml::node& item : *array) list.push_back(to_json(item));
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* yes = node.as_boolean()) return yes->get();
  if (const auto* number = node.as_floating_point(); number != nullptr && std::isfinite(number->get()))
    return number->get();
  return text_of(node);
}

}  // namespace

Result<Document> document_from_toml(const std::string& name, std::string_view text) {
  if (text.size() > kMaxBytes)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is larger than 16 MiB.", name),
                      "Name large data by its file or digest instead of writing it out.");
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} line {}: not valid TOML: {}.", name, parsed.error().source().begin.line,
                                  parsed.error().description()),
                      "Correct that line.");
  return Document::from_json(name, to_json(parsed.table()).dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace backstay::wire
