#include "wire/toml.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.hpp"

// Of what is not TOML some assertions of the parser fail ("[=]"); without them it says what is wrong, as it should.
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 1
#include <toml++/toml.h>

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;

/// toml++ 3.3 has undefined behaviour for most characters that are not ASCII and stand outside of strings (its table of
/// blanks reaches TOML_UNREACHABLE, for an e with an accent to begin with). So it never sees one: each such byte
/// becomes a mark, that the text does not hold, and two hex digits; what was read is turned back. A mark holds its
/// first letter once, so that marks can't overlap.
class AsciiOnly {
 public:
  explicit AsciiOnly(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    for (int number = 0; mark_.empty() || text.find(mark_) != std::string_view::npos; ++number)
      mark_ = fmt::format("Z{}y", number);
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      ascii += byte < 0x80 ? std::string(1, c) : fmt::format("{}{:02x}", mark_, byte);
    }
  }

  std::string back(std::string_view read) const {
    std::string out;
    while (true) {
      const std::size_t at = read.find(mark_);
      out.append(read.substr(0, at));
      if (at == std::string_view::npos) return out;
      read.remove_prefix(at + mark_.size());
      unsigned value = 0;
      const char* digits = read.data();
      const bool whole = read.size() >= 2 && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2;
      if (!whole) continue;  // An escape spelt a mark: nothing that was meant is lost.
      out += static_cast<char>(value);
      read.remove_prefix(2);
    }
  }

  std::string ascii;

 private:
  std::string mark_;
};

std::string text_of(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) { out << value; });
  return out.str();
}

/// The parser bounds how deep values are nested.
json to_json(const toml::node& node, const AsciiOnly& text) {
  if (const toml::table* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) object[text.back(key.str())] = to_json(value, text);
    return object;
  }
  if (const toml::array* array = node.as_array()) {
    json list = json::array();
    for (const toml::node& item : *array) list.push_back(to_json(item, text));
    return list;
  }
  if (const auto* string = node.as_string()) return text.back(string->get());
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
  if (!is_utf8(text))
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is not UTF-8.", name), "Save it as UTF-8.");
  const AsciiOnly converted(text);
  const toml::parse_result parsed = toml::parse(converted.ascii);
  if (!parsed)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} line {}: not valid TOML: {}.", name, parsed.error().source().begin.line,
                                  converted.back(parsed.error().description())),
                      "Correct that line.");
  return Document::from_json(name,
                             to_json(parsed.table(), converted).dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace backstay::wire
