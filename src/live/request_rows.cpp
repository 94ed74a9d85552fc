#include "live/request_rows.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "gateway/binary_tensor.hpp"

namespace backstay::live {

namespace dom = simdjson::dom;
using drift::Value;

namespace {

constexpr int kMaxDepth = 4;  // Of members that become columns a.b.c.d.

/// Of a list only that it is nested.
Value scalar_of(const dom::element& element) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE: return {};
    case dom::element_type::BOOL: return {Value::Kind::kBoolean, false, element.get_bool().value_unsafe() ? 1.0 : 0.0};
    case dom::element_type::INT64:
      return {Value::Kind::kNumber, true, static_cast<double>(element.get_int64().value_unsafe())};
    case dom::element_type::UINT64:
      return {Value::Kind::kNumber, true, static_cast<double>(element.get_uint64().value_unsafe())};
    case dom::element_type::DOUBLE: {
      const double number = element.get_double().value_unsafe();
      if (!std::isfinite(number)) return {};
      return {Value::Kind::kNumber, false, number};
    }
    case dom::element_type::STRING: {
      const std::string_view text = element.get_string().value_unsafe();
      if (text.empty()) return {};
      return {Value::Kind::kText, false, 0, text};
    }
    default: return {Value::Kind::kNested};
  }
}

/// The scalars of lists in lists, in order.
void flatten(const dom::element& element, std::vector<Value>& out, std::size_t most) {
  dom::array list;
  if (element.get_array().get(list) != simdjson::SUCCESS) {
    if (out.size() < most) out.push_back(scalar_of(element));
    return;
  }
  for (const dom::element each : list) {
    if (out.size() >= most) return;
    flatten(each, out, most);
  }
}

struct Tensor {
  std::string_view name;
  std::uint64_t rows = 1;
  std::uint64_t width = 1;
  std::vector<Value> values;
};

/// The part of `binary` that a tensor without "data" has; it is taken off. Nothing when there is no such part.
std::optional<std::string_view> part_of(const dom::element& element, std::string_view& binary) {
  std::uint64_t size = 0;
  dom::element parameters;
  if (element["parameters"].get(parameters) != simdjson::SUCCESS ||
      parameters["binary_data_size"].get_uint64().get(size) != simdjson::SUCCESS || size > binary.size())
    return std::nullopt;
  const std::string_view out = binary.substr(0, size);
  binary.remove_prefix(size);
  return out;
}

/// Numbers that are not finite and empty texts are missing.
Value value_of_element(const gateway::TensorElement& element) {
  using Kind = gateway::TensorElement::Kind;
  switch (element.kind) {
    case Kind::kNumber:
      return std::isfinite(element.number) ? Value{Value::Kind::kNumber, element.whole, element.number} : Value{};
    case Kind::kBoolean: return {Value::Kind::kBoolean, false, element.number};
    case Kind::kText: return element.text.empty() ? Value{} : Value{Value::Kind::kText, false, 0, element.text};
  }
  return {};
}

/// False: `raw` is not exactly `count` elements of the datatype.
bool read_binary(std::string_view datatype, std::string_view raw, std::size_t count, std::vector<Value>& out) {
  gateway::BinaryTensorReader elements(datatype, raw);
  if (!elements.may_be(count)) return false;
  gateway::TensorElement element;
  for (std::size_t i = 0; i < count; ++i) {
    if (!elements.next(element)) return false;
    out.push_back(value_of_element(element));
  }
  return elements.at_end();
}

/// False: it is none, or its shape is not that of its data.
bool read_tensor(const dom::element& element, std::string_view& binary, Tensor& out) {
  constexpr std::uint64_t kMost = 1'000'000;
  dom::array shape;
  if (element["name"].get_string().get(out.name) != simdjson::SUCCESS ||
      element["shape"].get_array().get(shape) != simdjson::SUCCESS)
    return false;
  bool first = true;
  for (const dom::element each : shape) {
    std::uint64_t size = 0;
    if (each.get_uint64().get(size) != simdjson::SUCCESS || size > kMost) return false;
    (first ? out.rows : out.width) *= size;
    if (out.width > kMost) return false;
    first = false;
  }
  const std::uint64_t count = out.rows * out.width;
  if (count > kMost || out.width == 0) return false;
  if (dom::element data; element["data"].get(data) == simdjson::SUCCESS) {
    flatten(data, out.values, count + 1);
    return out.values.size() == count;
  }
  std::string_view datatype;
  const auto raw = part_of(element, binary);
  return raw && element["datatype"].get_string().get(datatype) == simdjson::SUCCESS &&
         read_binary(datatype, *raw, count, out.values);
}

}  // namespace

const char* to_string(BodyProblem problem) {
  switch (problem) {
    case BodyProblem::kNone: return "";
    case BodyProblem::kPacked: return "packed";
    case BodyProblem::kNotJson: return "not_json";
    case BodyProblem::kNoRows: return "no_rows";
  }
  return "";
}

struct RequestRows::Json {
  dom::element element;
};
struct RequestRows::Parser {
  dom::parser json;
};

RequestRows::RequestRows(std::vector<std::string> names)
    : names_(std::move(names)), parser_(std::make_unique<Parser>()) {}
RequestRows::~RequestRows() = default;

std::vector<double>& RequestRows::new_numbers() {
  if (used_ == numbers_.size()) numbers_.emplace_back();
  numbers_[used_].clear();
  return numbers_[used_++];
}

Value RequestRows::value_of(const Json& json) {
  dom::array list;
  if (json.element.get_array().get(list) != simdjson::SUCCESS) return scalar_of(json.element);
  std::vector<double>& numbers = new_numbers();
  for (const dom::element each : list) {
    double number = 0;
    const bool is_number = each.is_number() && each.get_double().get(number) == simdjson::SUCCESS;
    if (!is_number || numbers.size() == drift::VectorProfile::kMaxDimension) return {Value::Kind::kNested};
    numbers.push_back(number);
  }
  return {Value::Kind::kNested, false, 0, {}, numbers};
}

Value RequestRows::vector_of(std::span<const Value> values) {
  std::vector<double>& numbers = new_numbers();
  if (values.size() > drift::VectorProfile::kMaxDimension) return {Value::Kind::kNested};
  for (const Value& each : values) {
    if (each.kind != Value::Kind::kNumber) return {Value::Kind::kNested};
    numbers.push_back(each.number);
  }
  return {Value::Kind::kNested, false, 0, {}, numbers};
}

void RequestRows::expect_column(const std::string& name) {
  if (expected_.size() < drift::Profile::kMaxColumns) expected_.insert(name);
}

void RequestRows::forget_columns() {
  columns_.clear();
  places_.clear();
  unexpected_ = 0;
  left_out_ = 0;
}

bool RequestRows::is_expected(std::string_view column) const {
  return expected_.contains(drift::kept_name(column));  // Profiles have no other names.
}

bool RequestRows::has_room(std::string_view column) const {
  const std::size_t all = drift::Profile::kMaxColumns;
  if (is_expected(column)) return columns_.size() < all;
  return unexpected_ < std::min(kMaxColumns, all - expected_.size());
}

void RequestRows::begin_row() {
  row_.assign(columns_.size(), {});
  used_ = 0;
  beyond_ = 0;
}

void RequestRows::put(std::string_view column, const Value& value) {
  auto found = places_.find(column);
  if (found == places_.end()) {
    if (!has_room(column)) {
      left_out_ = std::max(left_out_, ++beyond_);
      return;
    }
    if (!is_expected(column)) ++unexpected_;
    found = places_.emplace(std::string(column), columns_.size()).first;
    columns_.emplace_back(column);
  }
  if (row_.size() <= found->second) row_.resize(found->second + 1);
  row_[found->second] = value;
}

std::string RequestRows::place_name(std::size_t place) const {
  return place < names_.size() ? names_[place] : fmt::format("[{}]", place);
}

void RequestRows::add_members(const Json& object, const std::string& prefix, int depth) {
  dom::object members;
  if (object.element.get_object().get(members) != simdjson::SUCCESS) return;
  for (const auto member : members) {
    const std::string name = prefix + std::string(member.key);
    if (member.value.is_object() && depth < kMaxDepth) {
      add_members({member.value}, name + ".", depth + 1);
    } else {
      put(name, value_of({member.value}));
    }
  }
}

void RequestRows::read_row(const Json& row, const OnRow& on_row) {
  begin_row();
  dom::array list;
  if (row.element.is_object()) {
    add_members(row, "", 1);
  } else if (row.element.get_array().get(list) == simdjson::SUCCESS) {
    std::size_t place = 0;
    for (const dom::element each : list)
      if (place < kMaxWidth) put(place_name(place++), value_of({each}));
  } else {
    put(names_.size() == 1 ? names_[0] : "value", value_of(row));
  }
  on_row(row_);
}

void RequestRows::read_rows(const Json& list, const OnRow& on_row) {
  std::size_t rows = 0;
  dom::array items;
  if (list.element.get_array().get(items) != simdjson::SUCCESS) return;
  for (const dom::element each : items)
    if (rows++ < kMaxRows) read_row({each}, on_row);
}

bool RequestRows::read_tensors(const Json& root, std::string_view binary, const OnRow& on_row) {
  std::vector<Tensor> tensors;
  dom::array items;
  if (root.element.get_array().get(items) != simdjson::SUCCESS) return false;
  for (const dom::element each : items) {
    Tensor& tensor = tensors.emplace_back();
    if (!each.is_object() || !read_tensor(each, binary, tensor) || tensor.rows != tensors.front().rows) return false;
  }
  if (tensors.empty()) return false;
  const std::size_t rows = std::min<std::size_t>(tensors.front().rows, kMaxRows);
  for (std::size_t row = 0; row < rows; ++row) {
    begin_row();
    for (const Tensor& tensor : tensors) {
      if (tensor.width > kMaxWidth || vectors_.contains(tensor.name)) {
        put(tensor.name, vector_of(std::span(tensor.values).subspan(row * tensor.width, tensor.width)));
        continue;
      }
      const bool named = tensor.width == names_.size();
      for (std::size_t i = 0; i < tensor.width; ++i) {
        const Value& value = tensor.values[row * tensor.width + i];
        if (named) {
          put(names_[i], value);
        } else {
          put(tensor.width == 1 ? std::string(tensor.name) : fmt::format("{}[{}]", tensor.name, i), value);
        }
      }
    }
    on_row(row_);
  }
  return true;
}

bool RequestRows::read_split(const Json& root, const OnRow& on_row) {
  dom::array columns;
  dom::array data;
  if (root.element["columns"].get_array().get(columns) != simdjson::SUCCESS ||
      root.element["data"].get_array().get(data) != simdjson::SUCCESS)
    return false;
  std::vector<std::string_view> names;
  for (const dom::element each : columns) {
    std::string_view name;
    if (each.get_string().get(name) != simdjson::SUCCESS || names.size() >= kMaxWidth) return false;
    names.push_back(name);
  }
  std::size_t rows = 0;
  for (const dom::element each : data) {
    dom::array list;
    if (each.get_array().get(list) != simdjson::SUCCESS) return false;
    if (rows++ >= kMaxRows) break;
    begin_row();
    std::size_t place = 0;
    for (const dom::element cell : list)
      if (place < names.size()) put(names[place++], value_of({cell}));
    on_row(row_);
  }
  return true;
}

bool RequestRows::read_root(const Json& root, std::string_view binary, const OnRow& on_row) {
  if (root.element.is_array()) {
    read_rows(root, on_row);
    return true;
  }
  if (!root.element.is_object()) return false;
  dom::element part;
  for (const char* key : {"inputs", "outputs"})
    if (root.element[key].get(part) == simdjson::SUCCESS && part.is_array()) {
      dom::element first;
      if (part.at(0).get(first) == simdjson::SUCCESS && first.is_object()) return read_tensors({part}, binary, on_row);
    }
  for (const char* key : {"instances", "predictions", "dataframe_records"})
    if (root.element[key].get(part) == simdjson::SUCCESS && part.is_array()) {
      read_rows({part}, on_row);
      return true;
    }
  if (root.element["dataframe_split"].get(part) == simdjson::SUCCESS) return read_split({part}, on_row);
  read_row(root, on_row);
  return true;
}

BodyProblem RequestRows::read(std::string_view body, const OnRow& on_row, std::size_t json_bytes) {
  const std::string_view text = json_bytes > 0 ? body.substr(0, json_bytes) : body;
  dom::element root;
  if (text.empty() || parser_->json.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS)
    return BodyProblem::kNotJson;
  return read_root({root}, body.substr(text.size()), on_row) ? BodyProblem::kNone : BodyProblem::kNoRows;
}

}  // namespace backstay::live
