#include "gateway/value_reader.hpp"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "domain/traffic/text_value.hpp"
#include "domain/traffic/unknown_value.hpp"
#include "gateway/binary_tensor.hpp"

namespace backstay::gateway {

struct ValueReader::Parser {
  simdjson::ondemand::parser json;
  std::vector<char> padded;
  std::string unpacked;
};

namespace {

constexpr std::size_t kMostDimensions = 8;

/// What is larger than any float is no number to work with, nor is what stands for a text.
float single(double number) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  return std::abs(number) <= kLargest && !traffic::is_text(number) ? static_cast<float>(number) : traffic::kNoValue;
}

float from_value(simdjson::ondemand::value& found) {
  simdjson::ondemand::json_type type{};
  if (found.type().get(type) != simdjson::SUCCESS) return traffic::kNoValue;
  if (type == simdjson::ondemand::json_type::number) {
    double number = 0;
    if (found.get_double().get(number) == simdjson::SUCCESS) return single(number);
  } else if (type == simdjson::ondemand::json_type::boolean) {
    bool truth = false;
    if (found.get_bool().get(truth) == simdjson::SUCCESS) return truth ? 1.0F : 0.0F;
  } else if (type == simdjson::ondemand::json_type::string) {
    std::string_view text;
    if (found.get_string().get(text) == simdjson::SUCCESS) return traffic::value_of(text);
  }
  return traffic::kNoValue;
}

/// "/a~1b/0" -> "a/b", "0" (RFC 6901).
std::vector<std::string> tokens_of(std::string_view pointer) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      out.emplace_back();
    } else if (pointer[i] == '~' && i + 1 < pointer.size()) {
      out.back() += pointer[++i] == '1' ? '/' : '~';
    } else {
      out.back() += pointer[i];
    }
  }
  return out;
}

/// Keys by what they say: simdjson compares them as they are written, and "\u00e9" is written for "é" by many.
float from_escaped(simdjson::ondemand::value value, const std::vector<std::string>& tokens, std::size_t depth) {
  if (depth == tokens.size()) return from_value(value);
  simdjson::ondemand::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return traffic::kNoValue;
  if (type == simdjson::ondemand::json_type::array) {
    std::size_t index = 0;
    const std::string& token = tokens[depth];
    const auto [end, problem] = std::from_chars(token.data(), token.data() + token.size(), index);
    simdjson::ondemand::value item;
    if (problem != std::errc{} || end != token.data() + token.size() ||
        value.get_array().at(index).get(item) != simdjson::SUCCESS)
      return traffic::kNoValue;
    return from_escaped(item, tokens, depth + 1);
  }
  simdjson::ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return traffic::kNoValue;
  for (auto field : object) {
    std::string_view key;
    simdjson::ondemand::value item;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return traffic::kNoValue;
    if (key != tokens[depth]) continue;
    if (field.value().get(item) != simdjson::SUCCESS) return traffic::kNoValue;
    return from_escaped(item, tokens, depth + 1);
  }
  return traffic::kNoValue;
}

float from_json(simdjson::ondemand::document& document, const std::string& pointer) {
  simdjson::ondemand::value found;
  if (document.at_pointer(pointer).get(found) != simdjson::SUCCESS) return traffic::kNoValue;
  return from_value(found);
}

/// The same by what keys say; a document that nobody has looked into.
float from_json_with_escapes(simdjson::ondemand::document& document, const std::string& pointer) {
  simdjson::ondemand::value root;
  if (document.get_value().get(root) != simdjson::SUCCESS) return traffic::kNoValue;
  return from_escaped(root, tokens_of(pointer), 0);
}

/// Where the element is in the data as one row after another; nullopt: the tensor has no such element.
std::optional<std::uint64_t> place_of(simdjson::ondemand::object& output, const std::vector<std::uint64_t>& index) {
  if (index.empty()) return 0;
  simdjson::ondemand::array shape;
  if (output.find_field_unordered("shape").get_array().get(shape) != simdjson::SUCCESS) return std::nullopt;
  std::uint64_t place = 0;
  std::size_t dimension = 0;
  for (auto item : shape) {
    std::uint64_t size = 0;
    if (item.get_uint64().get(size) != simdjson::SUCCESS || dimension == index.size() || index[dimension] >= size)
      return std::nullopt;
    // Larger than any answer: no such element, and no overflow.
    if (place > (std::uint64_t{1} << 40) || size > (std::uint64_t{1} << 20)) return std::nullopt;
    place = place * size + index[dimension++];
  }
  return dimension == index.size() ? std::optional(place) : std::nullopt;
}

/// Data may be flat or nested as its shape is.
float element(simdjson::ondemand::array& data, const ValueSource& source, std::uint64_t place, std::size_t dimension) {
  const std::uint64_t own = dimension < source.index.size() ? source.index[dimension] : 0;
  std::uint64_t at = 0;
  for (auto item : data) {
    simdjson::ondemand::value value;
    if (item.get(value) != simdjson::SUCCESS) return traffic::kNoValue;
    simdjson::ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return traffic::kNoValue;
    const bool nested = type == simdjson::ondemand::json_type::array;
    if (nested && dimension >= kMostDimensions) return traffic::kNoValue;
    if (at++ != (nested || dimension > 0 ? own : place)) continue;
    if (!nested) return from_value(value);
    simdjson::ondemand::array inner;
    if (value.get_array().get(inner) != simdjson::SUCCESS) return traffic::kNoValue;
    return element(inner, source, place, dimension + 1);
  }
  return traffic::kNoValue;
}

/// The part of `binary` that a tensor has, which is taken off. Empty: it has its data in JSON. Nothing: there are not
/// as many bytes as it says, or it doesn't say it in a form that can be read; the document is not to be touched again.
std::optional<std::string_view> part_of(simdjson::ondemand::object& tensor, std::string_view& binary) {
  simdjson::ondemand::object parameters;
  simdjson::ondemand::value value;
  std::uint64_t size = 0;
  auto problem = tensor.find_field_unordered("parameters").get_object().get(parameters);
  if (problem == simdjson::SUCCESS) problem = parameters.find_field_unordered("binary_data_size").get(value);
  if (problem == simdjson::NO_SUCH_FIELD) return std::string_view();
  if (problem != simdjson::SUCCESS || value.get_uint64().get(size) != simdjson::SUCCESS || size > binary.size())
    return std::nullopt;
  const std::string_view out = binary.substr(0, size);
  binary.remove_prefix(size);
  return out;
}

float from_binary(std::string_view datatype, std::string_view raw, std::uint64_t place) {
  BinaryTensorReader elements(datatype, raw);
  TensorElement element;
  if (!elements.skip(place) || !elements.next(element)) return traffic::kUnread;
  return element.kind == TensorElement::Kind::kText ? traffic::value_of(element.text) : single(element.number);
}

/// `binary`: what comes after the JSON.
float from_tensor(simdjson::ondemand::document& document, const char* tensors, const ValueSource& source,
                  std::string_view binary) {
  document.rewind();
  simdjson::ondemand::array outputs;
  if (document.find_field_unordered(tensors).get_array().get(outputs) != simdjson::SUCCESS) return traffic::kNoValue;
  for (auto item : outputs) {
    simdjson::ondemand::object output;
    std::string_view name;
    if (item.get_object().get(output) != simdjson::SUCCESS) return traffic::kNoValue;
    if (output.find_field_unordered("name").get_string().get(name) != simdjson::SUCCESS) return traffic::kNoValue;
    std::string_view raw;
    if (!binary.empty()) {
      const auto part = part_of(output, binary);
      if (!part) return traffic::kUnread;
      raw = *part;
    }
    if (name != source.tensor) continue;
    const auto place = place_of(output, source.index);
    if (!place) return traffic::kNoValue;
    if (!raw.empty()) {
      std::string_view datatype;
      return output.find_field_unordered("datatype").get_string().get(datatype) == simdjson::SUCCESS
                 ? from_binary(datatype, raw, *place)
                 : traffic::kUnread;
    }
    simdjson::ondemand::array data;
    if (output.find_field_unordered("data").get_array().get(data) != simdjson::SUCCESS) return traffic::kNoValue;
    return element(data, source, *place, 0);
  }
  return traffic::kNoValue;
}

void read_head(const std::vector<ValueSource>& sources, ValueSource::Of of, const http1::Head& head,
               ValueReader::Values& values) {
  for (std::size_t i = 0; i < sources.size() && i < values.size(); ++i)
    if (sources[i].of == of && !sources[i].header.empty())
      if (const std::string_view text = head.find(sources[i].header); !text.empty())
        values[i] = traffic::value_of_header(text);
}

}  // namespace

ValueReader::ValueReader() : parser_(std::make_unique<Parser>()) {}
ValueReader::~ValueReader() = default;

ValueReader::Values ValueReader::read(const std::vector<ValueSource>& sources, const http1::Head& head,
                                      std::string_view body) {
  Values values;
  values.fill(traffic::kNoValue);
  read_response_head(sources, head, values);
  read_response_body(sources, body, form_of(head), values);
  return values;
}

void ValueReader::read_response_head(const std::vector<ValueSource>& sources, const http1::Head& head, Values& values) {
  read_head(sources, ValueSource::Of::kResponse, head, values);
}

void ValueReader::read_response_body(const std::vector<ValueSource>& sources, std::string_view body,
                                     const BodyForm& form, Values& values) {
  read_body(sources, ValueSource::Of::kResponse, body, form, values);
}

void ValueReader::read_request_head(const std::vector<ValueSource>& sources, const http1::Head& head, Values& values) {
  read_head(sources, ValueSource::Of::kRequest, head, values);
}

void ValueReader::read_request_body(const std::vector<ValueSource>& sources, std::string_view body,
                                    const BodyForm& form, Values& values) {
  read_body(sources, ValueSource::Of::kRequest, body, form, values);
}

void ValueReader::read_body(const std::vector<ValueSource>& sources, ValueSource::Of of, std::string_view body,
                            const BodyForm& form, Values& values) {
  const auto is_here = [of](const ValueSource& source) { return source.of == of && source.header.empty(); };
  if (body.empty() || std::none_of(sources.begin(), sources.end(), is_here)) return;
  const auto content = unpacked(body, form, parser_->unpacked);
  if (!content || form.json_bytes > content->size()) {
    for (std::size_t i = 0; i < sources.size() && i < values.size(); ++i)
      if (is_here(sources[i])) values[i] = traffic::kUnread;
    return;
  }
  const std::string_view json = form.json_bytes > 0 ? content->substr(0, form.json_bytes) : *content;
  const std::string_view binary = content->substr(json.size());
  std::vector<char>& padded = parser_->padded;
  padded.resize(json.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(padded.data(), json.data(), json.size());
  std::memset(padded.data() + json.size(), 0, simdjson::SIMDJSON_PADDING);
  const char* tensors = of == ValueSource::Of::kRequest ? "inputs" : "outputs";
  simdjson::ondemand::document document;
  bool begun = false;
  const auto begin = [&] {
    return parser_->json.iterate(padded.data(), json.size(), padded.size()).get(document) == simdjson::SUCCESS;
  };
  for (std::size_t i = 0; i < sources.size() && i < values.size(); ++i) {
    if (!is_here(sources[i])) continue;
    if (!begun && !begin()) return;
    const bool in_tensor = !sources[i].tensor.empty();
    values[i] =
        in_tensor ? from_tensor(document, tensors, sources[i], binary) : from_json(document, sources[i].json_pointer);
    // Where something that is no JSON was met the document is not to be touched again, and it doesn't tell.
    begun = !std::isnan(values[i]);
    if (begun || in_tensor || json.find('\\') == std::string_view::npos) continue;
    if (!begin()) return;
    values[i] = from_json_with_escapes(document, sources[i].json_pointer);
  }
}

}  // namespace backstay::gateway
