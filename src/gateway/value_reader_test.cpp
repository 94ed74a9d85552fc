#include "gateway/value_reader.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "domain/traffic/text_value.hpp"

namespace backstay::gateway {
namespace {

class ValueReaderTest : public ::testing::Test {
 protected:
  float read(const ValueSource& source, const std::string& body) { return reader.read({source}, head, body)[0]; }
  float element(const std::string& name, const std::vector<std::uint64_t>& index, const std::string& body) {
    return read({"", "", name, index}, body);
  }
  ValueReader reader;
  http1::ResponseHead head;
};

constexpr const char* kFlat =
    R"({"model_name":"m","outputs":[{"name":"label","shape":[1],"datatype":"INT64","data":[3]},)"
    R"({"data":[0.1,0.2,0.3,0.4,0.5,0.6],"name":"scores","datatype":"FP32","shape":[2,3]}]})";
constexpr const char* kNested =
    R"({"outputs":[{"name":"scores","shape":[2,3],"datatype":"FP32","data":[[0.1,0.2,0.3],[0.4,0.5,0.6]]}]})";

TEST_F(ValueReaderTest, FindsAnElementOfAnOutputWhateverTheOrderOfItsFields) {
  EXPECT_FLOAT_EQ(element("scores", {0, 0}, kFlat), 0.1F);
  EXPECT_FLOAT_EQ(element("scores", {1, 2}, kFlat), 0.6F);
  EXPECT_FLOAT_EQ(element("label", {0}, kFlat), 3);
  EXPECT_FLOAT_EQ(element("label", {}, kFlat), 3);
  EXPECT_FLOAT_EQ(element("scores", {1, 0}, kNested), 0.4F);
  EXPECT_FLOAT_EQ(element("scores", {}, kNested), 0.1F);
}

TEST_F(ValueReaderTest, HasNoValueForAnElementThatThereIsNot) {
  for (const std::vector<std::uint64_t>& index :
       {std::vector<std::uint64_t>{2, 0}, {0, 3}, {0}, {0, 0, 0}, {0, std::uint64_t{1} << 63}})
    EXPECT_TRUE(std::isnan(element("scores", index, kFlat)));
  EXPECT_TRUE(std::isnan(element("other", {0}, kFlat)));
  EXPECT_TRUE(std::isnan(element("scores", {0}, R"({"outputs":7})")));
  EXPECT_TRUE(std::isnan(element("s", {0}, R"({"outputs":[{"name":"s","data":[1]}]})")));
  EXPECT_TRUE(std::isnan(element("s", {0, 1}, R"({"outputs":[{"name":"s","shape":[1,2],"data":[[1)")));
  EXPECT_TRUE(std::isnan(element("s", {}, R"({"outputs":[{"name":"s","data":)" + std::string(500, '[') + "1")));
}

TEST_F(ValueReaderTest, ATextIsTheNumberThatItIsOrTheOneThatStandsForIt) {
  const std::string body =
      R"({"site":"K\u00f6ln","code":"007","beta":"true","outputs":[{"name":"c","shape":[2],"data":["cat","dog"]}]})";
  EXPECT_EQ(read({"/site", ""}, body), traffic::text_number("Köln"));
  EXPECT_EQ(read({"/code", ""}, body), 7);
  EXPECT_EQ(read({"/beta", ""}, body), 1);
  EXPECT_EQ(element("c", {1}, body), traffic::text_number("dog"));
  EXPECT_TRUE(std::isnan(read({"/x", ""}, R"({"x":-2e30})"))) << "No number is taken for a text.";
}

TEST_F(ValueReaderTest, FindsKeysThatAreWrittenWithEscapes) {
  const std::string body = R"({"z":{"n":[1,{"\u00e9":0.9}]},"a\/b":2,"\u0074~":3})";
  EXPECT_FLOAT_EQ(read({"/z/n/1/é", ""}, body), 0.9F);
  EXPECT_FLOAT_EQ(read({"/a~1b", ""}, body), 2);
  EXPECT_FLOAT_EQ(read({"/t~0", ""}, body), 3);
  for (const char* none : {"/z/n/2/é", "/z/n/x", "/é", "/a~1b/c"})
    EXPECT_TRUE(std::isnan(read({none, ""}, body))) << none;
  EXPECT_TRUE(std::isnan(read({"/é", ""}, R"({"\u00e9":)")));
}

TEST_F(ValueReaderTest, ReadsSeveralFromOneBody) {
  const auto values =
      reader.read({{"", "", "scores", {1, 1}}, {"/outputs/0/data/0", ""}, {"", "", "label", {0}}}, head, kFlat);
  EXPECT_FLOAT_EQ(values[0], 0.5F);
  EXPECT_FLOAT_EQ(values[1], 3);
  EXPECT_FLOAT_EQ(values[2], 3);
}

TEST_F(ValueReaderTest, TellsWhatIsOfTheRequestFromWhatIsOfTheResponse) {
  using Of = ValueSource::Of;
  const std::vector<ValueSource> sources{{"/price", "", "", {}, Of::kRequest},
                                         {"/price", ""},
                                         {"", "x-age", "", {}, Of::kRequest},
                                         {"", "", "x", {1}, Of::kRequest}};
  EXPECT_TRUE(reads(sources, Of::kRequest));
  EXPECT_FALSE(reads({{"/price", ""}}, Of::kRequest));
  http1::RequestHead asked;
  std::string why;
  ASSERT_EQ(http1::scan_request("POST / HTTP/1.1\r\nHost: a\r\nX-Age: 41\r\n\r\n", asked, why), http1::Scan::kOk)
      << why;
  ValueReader::Values values;
  values.fill(traffic::kNoValue);
  reader.read_request_head(sources, asked, values);
  reader.read_request_body(
      sources, R"({"price":9.5,"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[1,2]}]})", values);
  EXPECT_EQ(values[0], 9.5F);
  EXPECT_TRUE(std::isnan(values[1]));
  EXPECT_EQ(values[2], 41);
  EXPECT_EQ(values[3], 2);
  const auto answered = reader.read(sources, asked, R"({"price":7})");
  EXPECT_EQ(answered[1], 7);
  for (const std::size_t slot : {0, 2, 3}) EXPECT_TRUE(std::isnan(answered[slot])) << slot;
}

TEST_F(ValueReaderTest, HasNoValueForANumberThatIsLargerThanAny) {
  EXPECT_TRUE(std::isnan(read({"/y", ""}, R"({"y":1e300})")));
  EXPECT_TRUE(std::isnan(read({"/y", ""}, R"({"y":-1e39})")));
  EXPECT_EQ(read({"/y", ""}, R"({"y":1e38})"), 1e38F);
}

TEST_F(ValueReaderTest, SurvivesABodyThatIsNoJsonHoweverOftenItIsAsked) {
  const std::vector<ValueSource> sources{
      {"", "", "scores", {0, 1}}, {"", "", "scores", {}}, {"/outputs/0/data/1", ""}, {"/outputs/0/data/0", ""}};
  for (std::string body : {std::string(kFlat), std::string(kNested)}) {
    for (std::size_t at = 0; at < body.size(); ++at) {
      for (const char with : {'"', 'x', '[', '}', '\0', ':', ','}) {
        std::string broken = body;
        broken[at] = with;
        reader.read(sources, head, broken);
        reader.read(sources, head, broken.substr(0, at));
      }
    }
  }
  EXPECT_TRUE(std::isnan(reader.read(sources, head, R"({"outputs"[{"name":"scores","data":[0.5,1]}]})")[3]));
}

}  // namespace
}  // namespace backstay::gateway
