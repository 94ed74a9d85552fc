#include "wire/answer_json.hpp"

namespace backstay::wire {

using nlohmann::json;

namespace {

constexpr std::size_t kMostBytes = 16 * 1024 * 1024;
constexpr int kMostNesting =
    64;  ///< A deeper body is no answer that anybody asked for, and costs a stack frame a level.

bool too_deep(std::string_view body) {
  int depth = 0;
  bool text = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (text) {
      if (c == '\\') ++i;
      if (c == '"') text = false;
      continue;
    }
    if (c == '"') text = true;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kMostNesting) return true;
  }
  return false;
}

}  // namespace

std::optional<json> parse_answer(std::string_view body) {
  if (body.size() > kMostBytes || too_deep(body)) return std::nullopt;
  json tree = json::parse(body, nullptr, false);
  if (tree.is_discarded()) return std::nullopt;
  return tree;
}

}  // namespace backstay::wire
