#include "serving/worker/protocol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <openvino/core/type/float16.hpp>

namespace backstay::worker {

using nlohmann::json;

namespace {

constexpr std::int64_t kMaxElements = 1LL << 32;
constexpr int kMaxDepth = 32;

struct TypeName {
  DataType type;
  const char* name;
  std::size_t size;
};
constexpr TypeName kTypes[] = {
    {DataType::kBool, "BOOL", 1},     {DataType::kUint8, "UINT8", 1},   {DataType::kUint16, "UINT16", 2},
    {DataType::kUint32, "UINT32", 4}, {DataType::kUint64, "UINT64", 8}, {DataType::kInt8, "INT8", 1},
    {DataType::kInt16, "INT16", 2},   {DataType::kInt32, "INT32", 4},   {DataType::kInt64, "INT64", 8},
    {DataType::kFp16, "FP16", 2},     {DataType::kFp32, "FP32", 4},     {DataType::kFp64, "FP64", 8}};

const TypeName& type_name(DataType type) {
  return *std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeName& t) { return t.type == type; });
}

Unexpected invalid(std::string message) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message));
}

/// Calls `use` with a value of the C++ type that stands for `type`.
template <class Use>
auto with_type(DataType type, const Use& use) {
  switch (type) {
    case DataType::kBool:
    case DataType::kUint8: return use(std::uint8_t{});
    case DataType::kUint16: return use(std::uint16_t{});
    case DataType::kUint32: return use(std::uint32_t{});
    case DataType::kUint64: return use(std::uint64_t{});
    case DataType::kInt8: return use(std::int8_t{});
    case DataType::kInt16: return use(std::int16_t{});
    case DataType::kInt32: return use(std::int32_t{});
    case DataType::kInt64: return use(std::int64_t{});
    case DataType::kFp16: return use(ov::float16{});
    case DataType::kFp32: return use(float{});
    case DataType::kFp64: break;
  }
  return use(double{});
}

template <class T>
bool convert(const json& value, DataType type, T& out) {
  if constexpr (std::is_integral_v<T>) {
    if (type == DataType::kBool) {
      if (!value.is_boolean()) return false;
      out = value.get<bool>() ? 1 : 0;
      return true;
    }
    if (value.is_number_unsigned()) {
      const auto number = value.get<std::uint64_t>();
      out = static_cast<T>(number);
      return number <= static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    }
    if (!value.is_number_integer()) return false;
    const auto number = value.get<std::int64_t>();
    out = static_cast<T>(number);
    return number >= static_cast<std::int64_t>(std::numeric_limits<T>::min());
  } else {
    if (value.is_null()) {  // JSON has no other word for NaN; numpy reads it so, too.
      out = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
      return true;
    }
    if (!value.is_number()) return false;
    const double number = value.get<double>();
    out = static_cast<T>(static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(number));
    return std::isfinite(static_cast<double>(out));
  }
}

/// Appends the numbers of nested or flat lists in order.
template <class T>
Result<void> flatten(const json& value, Tensor& tensor, std::size_t limit, int depth) {
  if (value.is_array()) {
    if (depth == 0) return invalid(fmt::format("The data of input '{}' is nested too deep.", tensor.name));
    for (const json& item : value) TRY_DO(flatten<T>(item, tensor, limit, depth - 1));
    return {};
  }
  T number{};
  if (!convert(value, tensor.type, number))
    return invalid(fmt::format("Input '{}' has {}, which is no {}.", tensor.name,
                               value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 40),
                               to_string(tensor.type)));
  if (tensor.data.size() >= limit)
    return invalid(fmt::format("Input '{}' has more numbers than its shape says.", tensor.name));
  const std::size_t at = tensor.data.size();
  tensor.data.resize(at + sizeof number);
  std::memcpy(tensor.data.data() + at, &number, sizeof number);
  return {};
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

Result<std::size_t> read_shape(const json& item, const TensorInfo& info, Tensor& tensor) {
  const auto shape = item.find("shape");
  if (shape == item.end() || !shape->is_array()) return invalid(fmt::format("Input '{}' has no shape.", tensor.name));
  std::int64_t count = 1;
  bool fits = shape->size() == info.shape.size();
  for (std::size_t i = 0; i < shape->size(); ++i) {
    if (!(*shape)[i].is_number_unsigned())
      return invalid(fmt::format("The shape of input '{}' is not a list of sizes.", tensor.name));
    const auto size =
        static_cast<std::int64_t>(std::min<std::uint64_t>((*shape)[i].get<std::uint64_t>(), kMaxElements));
    tensor.shape.push_back(size);
    if (fits && info.shape[i] != -1 && info.shape[i] != size) fits = false;
    if (size > 0 && count > kMaxElements / size) return invalid(fmt::format("Input '{}' is too large.", tensor.name));
    count *= size;
  }
  if (!fits)
    return invalid(fmt::format("Input '{}' has shape {}; the model takes {}.", tensor.name, shape_text(tensor.shape),
                               shape_text(info.shape)));
  return static_cast<std::size_t>(count);
}

Result<Tensor> read_tensor(const json& item, const std::vector<TensorInfo>& known) {
  if (!item.is_object() || !item.contains("name") || !item["name"].is_string()) return invalid("An input has no name.");
  Tensor tensor;
  tensor.name = item["name"].get<std::string>();
  const auto info =
      std::find_if(known.begin(), known.end(), [&](const TensorInfo& t) { return t.name == tensor.name; });
  if (info == known.end()) {
    std::vector<std::string> names;
    for (const TensorInfo& t : known) names.push_back(t.name);
    return invalid(fmt::format("The model has no input '{}'; it has: {}.", tensor.name, fmt::join(names, ", ")));
  }
  tensor.type = info->type;
  const auto type = item.find("datatype");
  if (type == item.end() || !type->is_string() || type->get_ref<const std::string&>() != to_string(info->type))
    return invalid(fmt::format("Input '{}' must have datatype {}.", tensor.name, to_string(info->type)));
  TRY(const std::size_t count, read_shape(item, *info, tensor));
  const auto data = item.find("data");
  if (data == item.end() || !data->is_array()) return invalid(fmt::format("Input '{}' has no data.", tensor.name));
  const std::size_t bytes = count * size_of(tensor.type);
  tensor.data.reserve(std::min(bytes, std::size_t{1} << 20));
  TRY_DO(with_type(tensor.type, [&](auto one) { return flatten<decltype(one)>(*data, tensor, bytes, kMaxDepth); }));
  if (tensor.data.size() != bytes)
    return invalid(fmt::format("Input '{}' has {} numbers; its shape {} needs {}.", tensor.name,
                               tensor.data.size() / size_of(tensor.type), shape_text(tensor.shape), count));
  return tensor;
}

Result<std::vector<std::string>> read_outputs(const json& root, const std::vector<TensorInfo>& known) {
  std::vector<std::string> names;
  const auto outputs = root.find("outputs");
  if (outputs == root.end()) return names;
  if (!outputs->is_array()) return invalid("'outputs' is not a list.");
  for (const json& item : *outputs) {
    if (!item.is_object() || !item.contains("name") || !item["name"].is_string())
      return invalid("An output has no name.");
    names.push_back(item["name"].get<std::string>());
    if (std::none_of(known.begin(), known.end(), [&](const TensorInfo& t) { return t.name == names.back(); }))
      return invalid(fmt::format("The model has no output '{}'.", names.back()));
  }
  return names;
}

json infos_json(const std::vector<TensorInfo>& infos) {
  json list = json::array();
  for (const TensorInfo& info : infos)
    list.push_back({{"name", info.name}, {"datatype", to_string(info.type)}, {"shape", info.shape}});
  return list;
}

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

template <class T>
Result<void> write_numbers(const Tensor& tensor, fmt::memory_buffer& out) {
  const std::size_t count = tensor.data.size() / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    T number;
    std::memcpy(&number, tensor.data.data() + i * sizeof(T), sizeof(T));
    const char* separator = i == 0 ? "" : ",";
    if constexpr (std::is_integral_v<T>) {
      if (tensor.type == DataType::kBool) {
        fmt::format_to(std::back_inserter(out), "{}{}", separator, number != 0);
      } else {
        fmt::format_to(std::back_inserter(out), "{}{}", separator, +number);
      }
    } else {
      if (!std::isfinite(static_cast<double>(number)))
        return Unexpected(ErrorCode::kInternal,
                          fmt::format("The model's output '{}' is not a finite number.", tensor.name));
      using Shown = std::conditional_t<std::is_same_v<T, double>, double, float>;
      fmt::format_to(std::back_inserter(out), "{}{}", separator, static_cast<Shown>(number));
    }
  }
  return {};
}

}  // namespace

const char* to_string(DataType type) {
  return type_name(type).name;
}

std::size_t size_of(DataType type) {
  return type_name(type).size;
}

Result<InferRequest> read_infer_request(std::string_view body, const std::vector<TensorInfo>& inputs,
                                        const std::vector<TensorInfo>& outputs) {
  // The callback stops documents that are nested so deep that freeing them would exhaust the stack.
  bool too_deep = false;
  const json root = json::parse(
      body.begin(), body.end(),
      [&](int depth, json::parse_event_t, json&) {
        too_deep = too_deep || depth > kMaxDepth + 4;
        return !too_deep;
      },
      false);
  if (too_deep) return invalid("The request is nested too deep.");
  if (!root.is_object()) return invalid("The request's body is not a JSON object.");
  InferRequest request;
  const auto id = root.find("id");
  if (id != root.end() && id->is_string()) request.id = id->get<std::string>();
  const auto list = root.find("inputs");
  if (list == root.end() || !list->is_array()) return invalid("The request has no 'inputs'.");
  for (const json& item : *list) {
    TRY(Tensor tensor, read_tensor(item, inputs));
    for (const Tensor& other : request.inputs) {
      if (other.name == tensor.name) return invalid(fmt::format("Input '{}' is there twice.", tensor.name));
    }
    request.inputs.push_back(std::move(tensor));
  }
  for (const TensorInfo& info : inputs) {
    if (std::none_of(request.inputs.begin(), request.inputs.end(),
                     [&](const Tensor& t) { return t.name == info.name; }))
      return invalid(fmt::format("Input '{}' is missing.", info.name));
  }
  TRY(request.outputs, read_outputs(root, outputs));
  return request;
}

Result<std::string> write_infer_response(const std::string& model, const std::string& version, const std::string& id,
                                         const std::vector<Tensor>& outputs) {
  fmt::memory_buffer out;
  fmt::format_to(std::back_inserter(out), R"({{"model_name":{},"model_version":{},)", quoted(model), quoted(version));
  if (!id.empty()) fmt::format_to(std::back_inserter(out), R"("id":{},)", quoted(id));
  fmt::format_to(std::back_inserter(out), R"("outputs":[)");
  for (const Tensor& tensor : outputs) {
    fmt::format_to(std::back_inserter(out), R"({}{{"name":{},"datatype":"{}","shape":{},"data":[)",
                   &tensor == &outputs.front() ? "" : ",", quoted(tensor.name), to_string(tensor.type),
                   shape_text(tensor.shape));
    TRY_DO(with_type(tensor.type, [&](auto one) { return write_numbers<decltype(one)>(tensor, out); }));
    fmt::format_to(std::back_inserter(out), "]}}");
  }
  fmt::format_to(std::back_inserter(out), "]}}");
  return fmt::to_string(out);
}

std::string write_metadata(const std::string& model, const std::string& version, const std::vector<TensorInfo>& inputs,
                           const std::vector<TensorInfo>& outputs) {
  return json{{"name", model},
              {"versions", {version}},
              {"platform", "openvino"},
              {"inputs", infos_json(inputs)},
              {"outputs", infos_json(outputs)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string write_error(const std::string& message) {
  return fmt::format(R"({{"error":{}}})", quoted(message));
}

}  // namespace backstay::worker
