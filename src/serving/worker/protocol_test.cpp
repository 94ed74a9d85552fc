#include "serving/worker/protocol.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace backstay::worker {
namespace {

const std::vector<TensorInfo> kInputs{{"x", DataType::kFp32, {-1, 2}}};
const std::vector<TensorInfo> kOutputs{{"p", DataType::kFp32, {-1, 2}}, {"label", DataType::kInt64, {-1}}};

Result<InferRequest> read(const std::string& body) {
  return read_infer_request(body, kInputs, kOutputs);
}
std::string request(const std::string& shape, const std::string& data, const std::string& type = "FP32") {
  return R"({"id":"7","inputs":[{"name":"x","datatype":")" + type + R"(","shape":)" + shape + R"(,"data":)" + data +
         "}]}";
}
std::vector<float> floats(const Tensor& tensor) {
  std::vector<float> out(tensor.data.size() / sizeof(float));
  std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

TEST(Protocol, ReadsNestedAndFlatDataAlike) {
  const std::vector<float> expected{1, 2.5, -3, 4e3};
  const auto flat = read(request("[2,2]", "[1,2.5,-3,4e3]"));
  ASSERT_TRUE(flat) << flat.error().message;
  EXPECT_EQ(floats(flat->inputs[0]), expected);
  EXPECT_EQ(flat->id, "7");
  EXPECT_EQ(floats(read(request("[2,2]", "[[1,2.5],[-3,4e3]]"))->inputs[0]), expected);
  EXPECT_EQ(read(request("[0,2]", "[]"))->inputs[0].data.size(), 0u);
}

TEST(Protocol, SaysWhatIsWrongWithARequest) {
  const std::pair<std::string, std::string> cases[] = {
      {"nonsense", "not a JSON object"},
      {"[]", "not a JSON object"},
      {"{}", "no 'inputs'"},
      {R"({"inputs":[]})", "'x' is missing"},
      {R"({"inputs":[{"name":"y"}]})", "has no input 'y'"},
      {request("[1,2]", "[1]"), "has 1 numbers"},
      {request("[1,2]", "[1,2,3]"), "more numbers"},
      {request("[1,3]", "[1,2,3]"), "the model takes [-1,2]"},
      {request("[2]", "[1,2]"), "the model takes [-1,2]"},
      {request("[-1,2]", "[1,2]"), "not a list of sizes"},
      {request("[9999999999999,2]", "[1,2]"), "too large"},
      {request("[1,2]", "[1,2]", "INT8"), "must have datatype FP32"},
      {request("[1,2]", R"([1,"two"])"), "no FP32"},
      {request("[1,2]", "[1,1e300]"), "no FP32"},
      {request("[1,2]", "7"), "has no data"},
  };
  for (const auto& [body, message] : cases) {
    const auto refused = read(body);
    ASSERT_FALSE(refused) << body;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().message.find(message), std::string::npos) << body << ": " << refused.error().message;
  }
}

TEST(Protocol, RefusesABombOfBrackets) {
  EXPECT_FALSE(read(std::string(1'000'000, '[')));
  EXPECT_FALSE(read(request("[1,2]", std::string(100, '[') + "1,2" + std::string(100, ']'))));
}

TEST(Protocol, KeepsIntegersWithinTheirType) {
  const std::vector<TensorInfo> inputs{{"n", DataType::kUint8, {-1}}};
  const auto read_bytes = [&](const std::string& data) {
    return read_infer_request(R"({"inputs":[{"name":"n","datatype":"UINT8","shape":[1],"data":)" + data + "}]}", inputs,
                              {});
  };
  EXPECT_TRUE(read_bytes("[255]"));
  for (const char* data : {"[256]", "[-1]", "[1.5]", "[true]"}) EXPECT_FALSE(read_bytes(data)) << data;
}

TEST(Protocol, SelectsOutputsAndRefusesUnknownOnes) {
  std::string body = request("[1,2]", "[1,2]");
  body.pop_back();
  EXPECT_EQ(read(body + R"(,"outputs":[{"name":"label"}]})")->outputs, std::vector<std::string>{"label"});
  EXPECT_FALSE(read(body + R"(,"outputs":[{"name":"nothing"}]})"));
}

TEST(Protocol, WritesWhatItWouldRead) {
  Tensor p{"p", DataType::kFp32, {1, 2}, std::vector<std::byte>(8)};
  const float numbers[] = {0.1F, 0.9F};
  std::memcpy(p.data.data(), numbers, sizeof numbers);
  EXPECT_EQ(write_infer_response("m", "1.0.0", "a\"b", {p}).value(),
            R"({"model_name":"m","model_version":"1.0.0","id":"a\"b","outputs":[)"
            R"({"name":"p","datatype":"FP32","shape":[1,2],"data":[0.1,0.9]}]})");
}

TEST(Protocol, DoesNotSendWhatIsNoNumber) {
  Tensor p{"p", DataType::kFp64, {1}, std::vector<std::byte>(8)};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::memcpy(p.data.data(), &nan, sizeof nan);
  EXPECT_EQ(write_infer_response("m", "1", "", {p}).error().code, ErrorCode::kInternal);
}

}  // namespace
}  // namespace backstay::worker
