#pragma once

#include <string>
#include <vector>

#include "domain/evaluation/suite.hpp"
#include "ports/model_runner.hpp"

namespace backstay::services {

/// What a classifier says of each text: one number in [0, 1]. `batch`: texts per request. kInvalidArgument: the
/// classifier takes no texts, or what it says is no score.
Result<std::vector<double>> score_texts(ModelRunner& classifier, const evaluation::Safety& test,
                                        const std::vector<std::string>& texts, std::size_t batch);

}  // namespace backstay::services
