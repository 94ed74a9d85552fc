#include <cmath>

#include "fuzz/check.hpp"
#include "fuzz/framed_body.hpp"
#include "gateway/value_reader.hpp"
#include "wire/answer_signature.hpp"

using namespace backstay;

// What a version answers (fuzz::take_form says in which form), as the gateway and the examiners read it: no answer may
// end them, and a value that is read is a number.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  const gateway::BodyForm form = fuzz::take_form(body);
  registry::Signature signature;
  signature.outputs = {{"scores", "FP32", {-1, 2}}};
  const std::string wrong = wire::check_answer(body, signature);
  CHECK(wrong.size() < 4096);
  static_cast<void>(wire::text_of_answer(body, "/outputs/0/name"));
  gateway::ValueReader reader;
  const std::vector<gateway::ValueSource> sources{
      {"", "", "scores", {0, 1}}, {"", "", "scores", {}}, {"/outputs/0/data/1", ""}};
  gateway::ValueReader::Values values;
  values.fill(traffic::kNoValue);
  reader.read_response_body(sources, body, form, values);
  for (const float value : values) CHECK(!std::isinf(value));
  // As a request's body, for a covariate.
  const std::vector<gateway::ValueSource> asked{{"", "", "scores", {0, 1}, gateway::ValueSource::Of::kRequest},
                                                {"/price", "", "", {}, gateway::ValueSource::Of::kRequest}};
  auto covariates = values;
  covariates.fill(traffic::kNoValue);
  reader.read_request_body(asked, body, form, covariates);
  for (const float value : covariates) CHECK(!std::isinf(value));
  return 0;
}
