#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "serving/worker/tensor.hpp"

/// The JSON of the Open Inference Protocol, version 2.
namespace backstay::worker {

struct InferRequest {
  std::string id;
  std::vector<Tensor> inputs;
  std::vector<std::string> outputs;  ///< Empty: all.
};

/// Reads a request for a model with these inputs and outputs. Data may be nested or flat; every input must be there,
/// once, with the datatype and a shape the model takes, and as many numbers as the shape says.
Result<InferRequest> read_infer_request(std::string_view body, const std::vector<TensorInfo>& inputs,
                                        const std::vector<TensorInfo>& outputs);

/// Fails with kInternal when a number is NaN or infinite, which JSON can't say and no caller wants.
Result<std::string> write_infer_response(const std::string& model, const std::string& version, const std::string& id,
                                         const std::vector<Tensor>& outputs);

std::string write_metadata(const std::string& model, const std::string& version, const std::vector<TensorInfo>& inputs,
                           const std::vector<TensorInfo>& outputs);
std::string write_error(const std::string& message);

}  // namespace backstay::worker
