#include "wire/answers_jsonl.hpp"

#include <fmt/format.h>

#include <bit>
#include <iterator>
#include <nlohmann/json.hpp>

#include "wire/strict_json.hpp"

namespace backstay::wire {

using evaluation::NamedTensor;
using nlohmann::json;

namespace {

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::size_t elements_per_row(const NamedTensor& answers) {
  const auto rows = static_cast<std::size_t>(answers.spec.shape.empty() ? 0 : answers.spec.shape[0]);
  return rows == 0 ? 0 : (answers.numbers.size() + answers.texts.size()) / rows;
}

}  // namespace

std::string answers_to_jsonl(const std::string& set, const NamedTensor& answers) {
  const std::size_t width = elements_per_row(answers);
  const std::size_t rows = width == 0 ? 0 : (answers.numbers.size() + answers.texts.size()) / width;
  fmt::memory_buffer out;
  const auto end = std::back_inserter(out);
  for (std::size_t row = 0; row < rows; ++row) {
    fmt::format_to(end, R"({{"set":{},"row":{},"outputs":[)", quoted(set), row + 1);
    for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
      if (i > row * width) out.push_back(',');
      if (answers.texts.empty()) {
        fmt::format_to(end, "{}", answers.numbers[i]);
      } else {
        fmt::format_to(end, "{}", quoted(answers.texts[i]));
      }
    }
    fmt::format_to(end, "]}}\n");
  }
  return fmt::to_string(out);
}

Result<RecordedAnswer> answer_from_json(const std::string& name, std::string_view line) {
  TRY(const json root, parse_strict_json(name, line));
  RecordedAnswer answer;
  const auto wrong = [&] {
    return Unexpected(
        ErrorCode::kInvalidArgument, fmt::format("{} is no recorded answer.", name),
        R"(A line is {"set":"held-out","row":1,"outputs":[0.25]}: backstay evaluate --answers writes it.)");
  };
  if (!root.is_object() || !root.contains("set") || !root["set"].is_string() || !root.contains("row") ||
      !root["row"].is_number_unsigned() || !root.contains("outputs") || !root["outputs"].is_array())
    return wrong();
  answer.set = root["set"].get<std::string>();
  answer.row = root["row"].get<std::uint64_t>();
  if (answer.row == 0)
    return Unexpected(
        ErrorCode::kInvalidArgument, fmt::format("{} is for row 0, and rows are counted from 1.", name),
        "Files of older programs count from 0: record the answers anew, backstay evaluate --answers FILE.");
  --answer.row;
  for (const json& item : root["outputs"]) {
    if (item.is_string()) {
      answer.outputs.texts.push_back(item.get<std::string>());
    } else if (item.is_number()) {
      answer.outputs.numbers.push_back(item.get<double>());
    } else {
      return wrong();
    }
  }
  return answer;
}

bool same_answer(const NamedTensor& answers, std::uint64_t row, const RecordedAnswer& recorded) {
  const std::size_t width = elements_per_row(answers);
  const std::size_t first = row * width;
  if (recorded.outputs.numbers.size() + recorded.outputs.texts.size() != width) return false;
  if (!answers.texts.empty())
    return recorded.outputs.texts.size() == width &&
           std::equal(recorded.outputs.texts.begin(), recorded.outputs.texts.end(),
                      answers.texts.begin() + static_cast<std::ptrdiff_t>(first));
  for (std::size_t i = 0; i < recorded.outputs.numbers.size(); ++i)
    if (std::bit_cast<std::uint64_t>(recorded.outputs.numbers[i]) !=
        std::bit_cast<std::uint64_t>(answers.numbers[first + i]))
      return false;
  return recorded.outputs.numbers.size() == width;
}

}  // namespace backstay::wire
