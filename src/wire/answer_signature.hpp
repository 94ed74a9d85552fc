#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "domain/registry/manifest.hpp"

/// What answers of model servers hold. They are hostile input: a version may answer anything.
namespace backstay::wire {

/// What is wrong with an Open Inference Protocol (v2) answer in JSON by the outputs of a signature: a name that is
/// missing or unknown, another datatype, another shape, a number of elements that is not the shape's, or elements of
/// another type. Empty: nothing. A body that is no such answer is wrong too.
std::string check_answer(std::string_view body, const registry::Signature& signature);

/// The text at a JSON pointer of a body; an empty pointer: the body itself. kNotFound when there is none.
Result<std::string> text_of_answer(std::string_view body, const std::string& json_pointer);
/// Likewise a finite number; true and false are 1 and 0.
Result<double> number_of_answer(std::string_view body, const std::string& json_pointer);

/// {"key": "text"}; bytes that are no UTF-8 are replaced.
std::string text_json(const std::string& key, std::string_view text);

}  // namespace backstay::wire
