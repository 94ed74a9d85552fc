#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "domain/evaluation/tensor.hpp"

/// The JSON of the Open Inference Protocol, version 2, from the side that asks. Servers are not trusted.
namespace backstay::wire {

using evaluation::NamedTensor;

/// NaN is written as null: JSON has no other word for it.
std::string infer_request(const std::vector<NamedTensor>& inputs);

/// `who` is what errors call the server. Refuses tensors whose data is not what their shape says.
Result<std::vector<NamedTensor>> infer_response(const std::string& who, std::string_view body);

Result<registry::Signature> model_metadata(const std::string& who, std::string_view body);

/// The "error" of an answer that is one; the answer's beginning when it has none.
std::string error_of_answer(std::string_view body);

/// Outputs of a batch of rows as an evaluation's journal keeps them; numbers read back bit by bit.
std::string outputs_to_json(const std::vector<NamedTensor>& outputs);
Result<std::vector<NamedTensor>> outputs_from_json(const std::string& who, std::string_view text);

}  // namespace backstay::wire
