#include "serving/worker/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <mutex>
#include <openvino/openvino.hpp>
#include <optional>
#include <sstream>

namespace backstay::worker {

namespace fs = std::filesystem;

namespace {

struct TypePair {
  ov::element::Type_t theirs;
  DataType ours;
};
constexpr TypePair kPairs[] = {
    {ov::element::Type_t::boolean, DataType::kBool}, {ov::element::Type_t::u8, DataType::kUint8},
    {ov::element::Type_t::u16, DataType::kUint16},   {ov::element::Type_t::u32, DataType::kUint32},
    {ov::element::Type_t::u64, DataType::kUint64},   {ov::element::Type_t::i8, DataType::kInt8},
    {ov::element::Type_t::i16, DataType::kInt16},    {ov::element::Type_t::i32, DataType::kInt32},
    {ov::element::Type_t::i64, DataType::kInt64},    {ov::element::Type_t::f16, DataType::kFp16},
    {ov::element::Type_t::f32, DataType::kFp32},     {ov::element::Type_t::f64, DataType::kFp64}};

ov::element::Type_t theirs(DataType type) {
  return std::find_if(std::begin(kPairs), std::end(kPairs), [&](const TypePair& p) { return p.ours == type; })->theirs;
}

/// `named`: the same port of the model as it was read. Compiling may fold nodes and leave a port the names of several.
Result<TensorInfo> describe(const ov::Output<const ov::Node>& port, const ov::Output<ov::Node>& named) {
  TensorInfo info;
  info.name = named.get_names().empty() ? named.get_node()->get_friendly_name() : named.get_any_name();
  const auto pair = std::find_if(std::begin(kPairs), std::end(kPairs),
                                 [&](const TypePair& p) { return p.theirs == port.get_element_type(); });
  if (pair == std::end(kPairs))
    return Unexpected(ErrorCode::kUnsupported,
                      fmt::format("Tensor '{}' has the element type {}, which is not served.", info.name,
                                  port.get_element_type().get_type_name()),
                      "Export the model with numeric inputs and outputs.");
  info.type = pair->ours;
  if (port.get_partial_shape().rank().is_dynamic())
    return Unexpected(ErrorCode::kUnsupported, fmt::format("Tensor '{}' has no fixed rank.", info.name),
                      "Export the model with the number of dimensions fixed.");
  for (const ov::Dimension& size : port.get_partial_shape())
    info.shape.push_back(size.is_dynamic() ? -1 : size.get_length());
  return info;
}

bool is_model_file(const fs::path& path) {
  return path.extension() == ".onnx" || path.extension() == ".pb" || path.extension() == ".xml";
}

Result<fs::path> find_model(const fs::path& path) {
  std::error_code failure;
  if (!fs::exists(path, failure))
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no model at {}.", path.string()),
                      "Name a file of the version as serving.entry in its manifest.");
  if (!fs::is_directory(path, failure) || fs::exists(path / "saved_model.pb", failure)) return path;
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(path, failure)) {
    if (entry.path().filename() == "saved_model.pb") {
      found.push_back(entry.path().parent_path());
    } else if (entry.is_regular_file() && is_model_file(entry.path())) {
      found.push_back(entry.path());
    }
  }
  if (found.size() == 1) return found[0];
  return Unexpected(ErrorCode::kInvalidArgument,
                    fmt::format("The folder {} has {} models.", path.string(), found.size()),
                    "Name one as serving.entry in the version's manifest.");
}

/// The part of a stack of exception text that a person needs: what follows `mark`, in one line.
std::optional<std::string> after(const std::string& text, const std::string& mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t begin = text.find_first_not_of(" \n", at + mark.size());
  std::string part = begin == std::string::npos ? "" : text.substr(begin, 300);
  part.resize(std::min(part.size(), part.find('\n')));
  while (!part.empty() && (part.back() == ' ' || part.back() == '.')) part.pop_back();
  return part;
}

void fill_with_ones(DataType type, ov::Tensor& tensor) {
  std::array<std::byte, 8> one{std::byte{1}};  // Any integer, little-endian.
  const float single = 1.0F;
  const double twice = 1.0;
  constexpr std::uint16_t kHalf = 0x3c00;
  if (type == DataType::kFp16) std::memcpy(one.data(), &kHalf, sizeof kHalf);
  if (type == DataType::kFp32) std::memcpy(one.data(), &single, sizeof single);
  if (type == DataType::kFp64) std::memcpy(one.data(), &twice, sizeof twice);
  auto* out = static_cast<std::byte*>(tensor.data());
  for (std::size_t i = 0; i < tensor.get_size(); ++i) std::memcpy(out + i * size_of(type), one.data(), size_of(type));
}

/// The text without its "Exception from FILE:LINE:" lines, in one line.
std::string in_one_line(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line) && out.size() < 300;) {
    if (line.find_first_not_of(" .") == std::string::npos || line.starts_with("Exception from ")) continue;
    out += (out.empty() ? "" : " ") + line;
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.')) out.pop_back();
  return out;
}

Error explain(const fs::path& path, const std::string& text) {
  for (const char* mark :
       {"No conversion rule found for operations:", "does not support the following ONNX operations:",
        "No translator found for", "Unsupported operation"}) {
    if (const auto operators = after(text, mark))
      return {ErrorCode::kUnsupported, fmt::format("{} needs what OpenVINO lacks: {}.", path.string(), *operators),
              "Serve it with the Python worker (serving.runtime: python), or export it without that operator."};
  }
  const bool unknown = text.find("Unable to read the model") != std::string::npos;
  const std::string why =
      unknown ? "its content is of no known kind"
              : after(text, "GeneralFailure:").value_or(after(text, "failed with").value_or(in_one_line(text)));
  return {ErrorCode::kIntegrity, fmt::format("{} can't be read as a model: {}.", path.string(), why),
          "Check that the file is complete and of the kind its name says."};
}

}  // namespace

struct Model::Impl {
  ov::CompiledModel compiled;
  std::mutex mutex;
  std::vector<ov::InferRequest> idle;

  ov::InferRequest borrow() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return compiled.create_infer_request();
    ov::InferRequest request = std::move(idle.back());
    idle.pop_back();
    return request;
  }
  void give_back(ov::InferRequest request) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(request));
  }
};

Model::Model() : impl_(std::make_unique<Impl>()) {}
Model::~Model() = default;

Result<std::unique_ptr<Model>> Model::load(const fs::path& path, unsigned threads) {
  TRY(const fs::path file, find_model(path));
  std::unique_ptr<Model> model(new Model);
  std::shared_ptr<ov::Model> graph;
  try {
    ov::Core core;
    graph = core.read_model(file.string());
    model->impl_->compiled = core.compile_model(graph, "CPU", ov::inference_num_threads(static_cast<int>(threads)),
                                                ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
                                                ov::hint::inference_precision(ov::element::f32));
  } catch (const std::exception& failure) {
    return Unexpected(explain(file, failure.what()));
  }
  const ov::CompiledModel& compiled = model->impl_->compiled;
  for (std::size_t i = 0; i < compiled.inputs().size(); ++i) {
    TRY(TensorInfo info, describe(compiled.input(i), graph->input(i)));
    model->inputs_.push_back(std::move(info));
  }
  for (std::size_t i = 0; i < compiled.outputs().size(); ++i) {
    TRY(TensorInfo info, describe(compiled.output(i), graph->output(i)));
    model->outputs_.push_back(std::move(info));
  }
  return model;
}

void Model::warm_up() {
  constexpr int kRuns = 10;
  constexpr std::chrono::seconds kEnough{1};  // A slow model is warm after fewer.
  try {
    ov::InferRequest request = impl_->borrow();
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      ov::Shape shape;
      for (const std::int64_t size : inputs_[i].shape) shape.push_back(size < 0 ? 1 : static_cast<std::size_t>(size));
      ov::Tensor tensor(theirs(inputs_[i].type), shape);
      fill_with_ones(inputs_[i].type, tensor);
      request.set_input_tensor(i, tensor);
    }
    const auto begun = std::chrono::steady_clock::now();
    for (int run = 0; run < kRuns && std::chrono::steady_clock::now() - begun < kEnough; ++run) request.infer();
    impl_->give_back(std::move(request));
  } catch (const std::exception&) {  // Ones are no input of this model's.
  }
}

Result<std::vector<Tensor>> Model::infer(const std::vector<Tensor>& inputs, const std::vector<std::string>& wanted) {
  try {
    ov::InferRequest request = impl_->borrow();
    for (const Tensor& input : inputs) {
      const auto port =
          std::find_if(inputs_.begin(), inputs_.end(), [&](const auto& i) { return i.name == input.name; });
      ov::Tensor tensor(theirs(input.type), ov::Shape(input.shape.begin(), input.shape.end()));
      std::memcpy(tensor.data(), input.data.data(), input.data.size());
      request.set_input_tensor(static_cast<std::size_t>(port - inputs_.begin()), tensor);
    }
    request.infer();
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const TensorInfo& info = outputs_[i];
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), info.name) == wanted.end()) continue;
      const ov::Tensor tensor = request.get_output_tensor(i);
      Tensor result{info.name, info.type, {}, {}};
      for (const std::size_t size : tensor.get_shape()) result.shape.push_back(static_cast<std::int64_t>(size));
      result.data.resize(tensor.get_byte_size());
      std::memcpy(result.data.data(), tensor.data(), result.data.size());
      results.push_back(std::move(result));
    }
    impl_->give_back(std::move(request));
    return results;
  } catch (const std::exception& failure) {
    return Unexpected(ErrorCode::kInternal, fmt::format("The model failed: {}", failure.what()));
  }
}

}  // namespace backstay::worker
