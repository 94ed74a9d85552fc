#include <cmath>

#include "fuzz/check.hpp"
#include "gateway/value_reader.hpp"
#include "wire/answer_signature.hpp"

using namespace backstay;

// What a version answers, as the gateway and the examiners read it: no answer may end them, and a value that is read is
// a number. What begins with a byte of 2 has two bytes that say how much of the rest is JSON, with binary tensors after
// it; with 3, what follows is packed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  gateway::BodyForm form;
  if (body.starts_with('\2') && body.size() > 2) {
    form.json_bytes = static_cast<unsigned char>(body[1]) + 256U * static_cast<unsigned char>(body[2]);
    body.remove_prefix(3);
  } else if (body.starts_with('\3')) {
    form.packed = gateway::BodyForm::Packed::kGzip;
    body.remove_prefix(1);
  }
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
