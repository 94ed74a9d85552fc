#include <string_view>

#include "fuzz/check.hpp"
#include "serving/worker/protocol.hpp"

using namespace backstay::worker;

static std::size_t elements_of(const Tensor& tensor) {
  std::size_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= static_cast<std::size_t>(size);
  return count;
}

/// A request that is taken fits the model: its tensors have as many bytes as their shapes say.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<TensorInfo> inputs{{"x", DataType::kFp32, {-1, 2}}, {"n", DataType::kInt64, {1}}};
  static const std::vector<TensorInfo> outputs{{"y", DataType::kFp32, {-1, 1}}};
  const auto request = read_infer_request({reinterpret_cast<const char*>(data), size}, inputs, outputs);
  if (!request) {
    CHECK(!request.error().message.empty());
    static_cast<void>(write_error(request.error().message));
    return 0;
  }
  CHECK(request->inputs.size() == inputs.size());
  for (const Tensor& tensor : request->inputs) CHECK(tensor.data.size() == elements_of(tensor) * size_of(tensor.type));
  static_cast<void>(write_infer_response("m", "1", request->id, request->inputs).has_value());
  return 0;
}
