#include "wire/streamed_text.hpp"

#include <nlohmann/json.hpp>

#include "wire/answer_json.hpp"

namespace backstay::wire {

using nlohmann::json;

namespace {

const json* member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

bool is_first(const json& choice) {
  const json* index = member(choice, "index");
  return choice.is_object() && (index == nullptr || *index == 0);
}

/// What a choice adds; nullptr: nothing.
const std::string* piece_of(const json& choice) {
  const json* delta = member(choice, "delta");
  const json* piece = delta != nullptr ? member(*delta, "content") : member(choice, "text");
  return piece != nullptr && piece->is_string() ? piece->get_ptr<const std::string*>() : nullptr;
}

}  // namespace

void StreamedText::add(std::string_view event) {
  const auto tree = parse_answer(event);
  const json* choices = tree ? member(*tree, "choices") : nullptr;
  if (choices == nullptr || !choices->is_array()) return;
  for (const json& choice : *choices) {
    const std::string* piece = is_first(choice) ? piece_of(choice) : nullptr;
    if (piece == nullptr) continue;
    found_ = true;
    text_ += *piece;
  }
}

}  // namespace backstay::wire
