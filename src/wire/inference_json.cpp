#include "wire/inference_json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "wire/strict_json.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr std::int64_t kMaxElements = 1LL << 28;
constexpr int kMaxDepth = 32;

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

Unexpected wrong(const std::string& who, const std::string& what) {
  return Unexpected(ErrorCode::kUnavailable, fmt::format("{} gives an answer that is not understood: {}.", who, what),
                    "It must speak the Open Inference Protocol, version 2, in JSON.");
}

bool is_minus_zero(double number) {
  return number == 0 && std::signbit(number);
}

void write_data(const NamedTensor& tensor, fmt::memory_buffer& out) {
  const auto end = std::back_inserter(out);
  const char* separator = "";
  for (const std::string& text : tensor.texts) {
    fmt::format_to(end, "{}{}", separator, quoted(text));
    separator = ",";
  }
  const bool boolean = tensor.spec.datatype == "BOOL";
  const bool real = tensor.spec.datatype.starts_with("FP") || tensor.spec.datatype == "BF16";
  for (const double number : tensor.numbers) {
    if (std::isnan(number)) {
      fmt::format_to(end, "{}null", separator);
    } else if (boolean) {
      fmt::format_to(end, "{}{}", separator, number != 0);
    } else if (!real && number == std::floor(number) && std::abs(number) < 9.1e15 && !is_minus_zero(number)) {
      fmt::format_to(end, "{}{}", separator, static_cast<std::int64_t>(number));
    } else {
      fmt::format_to(end, "{}{}", separator, number);
    }
    separator = ",";
  }
}

std::string tensors_to_json(const char* key, const std::vector<NamedTensor>& tensors) {
  fmt::memory_buffer out;
  fmt::format_to(std::back_inserter(out), R"({{"{}":[)", key);
  for (const NamedTensor& tensor : tensors) {
    fmt::format_to(std::back_inserter(out), R"({}{{"name":{},"shape":[{}],"datatype":{},"data":[)",
                   &tensor == tensors.data() ? "" : ",", quoted(tensor.spec.name), fmt::join(tensor.spec.shape, ","),
                   quoted(tensor.spec.datatype));
    write_data(tensor, out);
    fmt::format_to(std::back_inserter(out), "]}}");
  }
  fmt::format_to(std::back_inserter(out), "]}}");
  return fmt::to_string(out);
}

/// Appends what is in nested or flat lists. False: it is not all of one kind.
bool flatten(const json& data, NamedTensor& tensor, int depth) {
  if (data.is_array()) {
    if (depth == 0) return false;
    for (const json& item : data)
      if (!flatten(item, tensor, depth - 1)) return false;
    return true;
  }
  if (tensor.spec.datatype == "BYTES") {
    if (!data.is_string()) return false;
    tensor.texts.push_back(data.get<std::string>());
    return true;
  }
  if (data.is_boolean()) {
    tensor.numbers.push_back(data.get<bool>() ? 1 : 0);
    return true;
  }
  if (!data.is_number()) return false;
  const auto number = data.get<double>();
  if (tensor.spec.datatype == "BOOL" && number != 0 && number != 1) return false;
  tensor.numbers.push_back(tensor.spec.datatype == "BOOL" ? std::abs(number) : number);
  return true;
}

Result<NamedTensor> tensor_from(const std::string& who, const json& item) {
  if (!item.is_object()) return wrong(who, "an output is no object");
  NamedTensor tensor;
  const auto text = [&](const char* key, std::string& out) {
    const auto found = item.find(key);
    if (found == item.end() || !found->is_string()) return false;
    out = found->get<std::string>();
    return true;
  };
  if (!text("name", tensor.spec.name) || !text("datatype", tensor.spec.datatype) ||
      !registry::is_datatype(tensor.spec.datatype))
    return wrong(who, "an output has no name or no known datatype");
  const auto shape = item.find("shape");
  const auto data = item.find("data");
  if (shape == item.end() || !shape->is_array() || data == item.end() || !data->is_array())
    return wrong(who, fmt::format("the output '{}' has no shape or no data", tensor.spec.name));
  std::int64_t count = 1;
  for (const json& size : *shape) {
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxElements))
      return wrong(who, fmt::format("the shape of output '{}' is no list of sizes", tensor.spec.name));
    const auto number = static_cast<std::int64_t>(size.get<std::uint64_t>());
    if (number > 0 && count > kMaxElements / number) return wrong(who, "an output is too large");
    count *= number;
    tensor.spec.shape.push_back(number);
  }
  if (!flatten(*data, tensor, kMaxDepth))
    return wrong(who, fmt::format("the data of output '{}' is not all {}", tensor.spec.name, tensor.spec.datatype));
  if (static_cast<std::int64_t>(tensor.numbers.size() + tensor.texts.size()) != count)
    return wrong(who, fmt::format("the output '{}' has {} elements, and its shape says {}", tensor.spec.name,
                                  tensor.numbers.size() + tensor.texts.size(), count));
  return tensor;
}

Result<std::vector<NamedTensor>> tensors_from(const std::string& who, std::string_view body) {
  auto root = parse_strict_json(who, body);
  if (!root) return wrong(who, root.error().message);
  if (!root->is_object() || !root->contains("outputs") || !(*root)["outputs"].is_array())
    return wrong(who, "it has no outputs");
  std::vector<NamedTensor> outputs;
  for (const json& item : (*root)["outputs"]) {
    TRY(NamedTensor tensor, tensor_from(who, item));
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

bool read_specs(const json& root, const char* key, std::vector<registry::TensorSpec>& out) {
  const auto list = root.find(key);
  if (list == root.end() || !list->is_array()) return false;
  for (const json& item : *list) {
    registry::TensorSpec spec;
    if (!item.is_object() || !item.contains("name") || !item["name"].is_string() || !item.contains("datatype") ||
        !item["datatype"].is_string() || !item.contains("shape") || !item["shape"].is_array())
      return false;
    spec.name = item["name"].get<std::string>();
    spec.datatype = item["datatype"].get<std::string>();
    for (const json& size : item["shape"]) {
      if (!size.is_number_integer()) return false;
      spec.shape.push_back(size.get<std::int64_t>());
    }
    out.push_back(std::move(spec));
  }
  return true;
}

}  // namespace

std::string infer_request(const std::vector<NamedTensor>& inputs) {
  return tensors_to_json("inputs", inputs);
}

Result<std::vector<NamedTensor>> infer_response(const std::string& who, std::string_view body) {
  return tensors_from(who, body);
}

Result<registry::Signature> model_metadata(const std::string& who, std::string_view body) {
  auto root = parse_strict_json(who, body);
  registry::Signature signature;
  if (!root || !root->is_object() || !read_specs(*root, "inputs", signature.inputs) ||
      !read_specs(*root, "outputs", signature.outputs))
    return wrong(who, "its metadata has no inputs or no outputs");
  return signature;
}

std::string error_of_answer(std::string_view body) {
  const json root = json::parse(body, nullptr, false);
  std::string text;
  if (root.is_object() && root.contains("error"))
    text = root["error"].is_string() ? root["error"].get<std::string>()
                                     : root["error"].dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.empty()) text = std::string(body.substr(0, 200));
  while (!text.empty() && text.back() == '.') text.pop_back();
  return text.substr(0, 500);
}

std::string outputs_to_json(const std::vector<NamedTensor>& outputs) {
  return tensors_to_json("outputs", outputs);
}

Result<std::vector<NamedTensor>> outputs_from_json(const std::string& who, std::string_view text) {
  return tensors_from(who, text);
}

}  // namespace backstay::wire
