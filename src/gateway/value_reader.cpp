#include "gateway/value_reader.hpp"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>

namespace backstay::gateway {

struct ValueReader::Parser {
  simdjson::ondemand::parser json;
  std::vector<char> padded;
};

namespace {

float from_text(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = problem == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
  return whole ? static_cast<float>(value) : traffic::kNoValue;
}

float from_json(simdjson::ondemand::document& document, const std::string& pointer) {
  simdjson::ondemand::value found;
  if (document.at_pointer(pointer).get(found) != simdjson::SUCCESS) return traffic::kNoValue;
  simdjson::ondemand::json_type type{};
  if (found.type().get(type) != simdjson::SUCCESS) return traffic::kNoValue;
  if (type == simdjson::ondemand::json_type::number) {
    double number = 0;
    if (found.get_double().get(number) == simdjson::SUCCESS && std::isfinite(number)) return static_cast<float>(number);
  } else if (type == simdjson::ondemand::json_type::boolean) {
    bool truth = false;
    if (found.get_bool().get(truth) == simdjson::SUCCESS) return truth ? 1.0F : 0.0F;
  }
  return traffic::kNoValue;
}

}  // namespace

ValueReader::ValueReader() : parser_(std::make_unique<Parser>()) {}
ValueReader::~ValueReader() = default;

ValueReader::Values ValueReader::read(const std::vector<ValueSource>& sources, const http1::Head& head,
                                      std::string_view body) {
  Values values;
  values.fill(traffic::kNoValue);
  bool wants_json = false;
  for (std::size_t i = 0; i < sources.size() && i < values.size(); ++i) {
    if (sources[i].header.empty()) {
      wants_json = true;
    } else {
      values[i] = from_text(head.find(sources[i].header));
    }
  }
  if (!wants_json || body.empty()) return values;

  std::vector<char>& padded = parser_->padded;
  padded.resize(body.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(padded.data(), body.data(), body.size());
  std::memset(padded.data() + body.size(), 0, simdjson::SIMDJSON_PADDING);
  simdjson::ondemand::document document;
  if (parser_->json.iterate(padded.data(), body.size(), padded.size()).get(document) != simdjson::SUCCESS)
    return values;
  for (std::size_t i = 0; i < sources.size() && i < values.size(); ++i)
    if (sources[i].header.empty()) values[i] = from_json(document, sources[i].json_pointer);
  return values;
}

}  // namespace backstay::gateway
