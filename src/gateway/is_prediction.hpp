#pragma once

#include <string_view>

namespace backstay::gateway {

/// Whether a request asks a model for a prediction. Clients and probes also ask whether a model is ready and what it
/// is: that neither version is judged by, whose answers have none of the values that guardrails look for. Not a
/// prediction is HEAD, OPTIONS and TRACE, GET of /, below /v2/ (the Open Inference Protocol predicts by POST) and of
/// /v1/models (OpenAI's list), and GET of a path that ends in a word for health or metadata. Everything else is, also
/// by GET.
bool is_prediction(std::string_view method, std::string_view target);

}  // namespace backstay::gateway
