#include "wire/answer_signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "wire/answer_json.hpp"

namespace backstay::wire {

using nlohmann::json;

namespace {

constexpr std::size_t kMostDimensions = 32;
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 40;

const json* at(const json& tree, const std::string& pointer) {
  // nlohmann's throw for what is no pointer; configurations were checked, so this is for tests and mistakes.
  try {
    const json::json_pointer where(pointer);
    return tree.contains(where) ? &tree.at(where) : nullptr;
  } catch (const json::exception&) {
    return nullptr;
  }
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

bool is_element(const json& value, const std::string& datatype) {
  if (datatype == "BOOL") return value.is_boolean() || value.is_number_integer();
  if (datatype == "BYTES") return value.is_string() || value.is_number_integer();
  if (datatype.starts_with("FP") || datatype == "BF16") return value.is_number();
  return value.is_number_integer();
}

/// Counts the elements of data, flat or nested; false: one is not of the type.
bool count(const json& data, const std::string& datatype, std::uint64_t& elements) {
  if (!data.is_array()) {
    ++elements;
    return is_element(data, datatype);
  }
  return std::all_of(data.begin(), data.end(), [&](const json& item) { return count(item, datatype, elements); });
}

std::string check_output(const json& output, const registry::TensorSpec& spec) {
  const std::string datatype = output.value("datatype", "");
  if (datatype != spec.datatype) return fmt::format("has the datatype {}, not {}", datatype, spec.datatype);
  std::vector<std::int64_t> shape;
  std::uint64_t elements = 1;
  const auto given = output.find("shape");
  if (given == output.end() || !given->is_array() || given->size() > kMostDimensions) return "has no shape";
  for (const json& size : *given) {
    if (!size.is_number_integer() || size.get<std::int64_t>() < 0) return "has a shape that is none";
    shape.push_back(size.get<std::int64_t>());
    elements =
        std::min(elements * static_cast<std::uint64_t>(std::min<std::int64_t>(shape.back(), 1 << 20)), kMostElements);
  }
  const bool fits = shape.size() == spec.shape.size() &&
                    std::equal(shape.begin(), shape.end(), spec.shape.begin(),
                               [](std::int64_t is, std::int64_t wanted) { return wanted < 0 || is == wanted; });
  if (!fits) return fmt::format("has the shape {}, not {}", shape_text(shape), shape_text(spec.shape));
  const auto data = output.find("data");
  if (data == output.end() || !data->is_array()) return "has no data";
  std::uint64_t counted = 0;
  if (!count(*data, spec.datatype, counted)) return fmt::format("has data that is no {}", spec.datatype);
  if (counted != elements) return fmt::format("has {} elements, and its shape {}", counted, shape_text(shape));
  return "";
}

/// Names come from the answer: only what is harmless in a log is repeated.
std::string harmless(std::string name) {
  name.resize(std::min<std::size_t>(name.size(), 64));
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return name;
}

}  // namespace

std::string check_answer(std::string_view body, const registry::Signature& signature) {
  const std::optional<json> tree = parse_answer(body);
  if (!tree || !tree->is_object()) return "The answer is no JSON object.";
  const auto outputs = tree->find("outputs");
  if (outputs == tree->end() || !outputs->is_array()) return "The answer has no outputs.";
  std::vector<bool> seen(signature.outputs.size(), false);
  for (const json& output : *outputs) {
    if (!output.is_object()) return "An output is no object.";
    const auto given = output.find("name");
    const std::string name = given != output.end() && given->is_string() ? given->get<std::string>() : "";
    const auto spec = std::find_if(signature.outputs.begin(), signature.outputs.end(),
                                   [&](const registry::TensorSpec& item) { return item.name == name; });
    if (spec == signature.outputs.end())
      return fmt::format("The answer has an output '{}', which the signature has not.", harmless(name));
    const auto place = static_cast<std::size_t>(spec - signature.outputs.begin());
    if (seen[place]) return fmt::format("The answer has the output '{}' twice.", harmless(name));
    seen[place] = true;
    const auto type = output.find("datatype");
    if (type != output.end() && !type->is_string()) return "An output's datatype is no text.";
    if (const std::string wrong = check_output(output, *spec); !wrong.empty())
      return fmt::format("The output '{}' {}.", harmless(name), wrong);
  }
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (!seen[i]) return fmt::format("The answer lacks the output '{}'.", signature.outputs[i].name);
  return "";
}

Result<std::string> text_of_answer(std::string_view body, const std::string& json_pointer) {
  if (json_pointer.empty()) return std::string(body);
  const std::optional<json> tree = parse_answer(body);
  const json* found = tree ? at(*tree, json_pointer) : nullptr;
  if (found == nullptr || !found->is_string())
    return Unexpected(ErrorCode::kNotFound, fmt::format("The answer has no text at {}.", json_pointer),
                      "Say where it is: text: /choices/0/message/content.");
  return found->get<std::string>();
}

Result<double> number_of_answer(std::string_view body, const std::string& json_pointer) {
  const std::optional<json> tree = parse_answer(body);
  const json* found = tree ? at(*tree, json_pointer) : nullptr;
  if (found != nullptr && found->is_boolean()) return found->get<bool>() ? 1.0 : 0.0;
  if (found != nullptr && found->is_number() && std::isfinite(found->get<double>())) return found->get<double>();
  return Unexpected(ErrorCode::kNotFound, fmt::format("The answer has no number at '{}'.", json_pointer),
                    "Say where it is: score: /score.");
}

std::string text_json(const std::string& key, std::string_view text) {
  return json{{key, std::string(text)}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace backstay::wire
