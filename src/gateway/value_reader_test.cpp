#include "gateway/value_reader.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "domain/traffic/text_value.hpp"
#include "domain/traffic/unknown_value.hpp"

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
  EXPECT_EQ(read({"/code", ""}, body), traffic::text_number("007"));
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
      sources, R"({"price":9.5,"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[1,2]}]})", {}, values);
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

std::string text_bytes(std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  return std::string(reinterpret_cast<const char*>(&size), sizeof size).append(text);
}
template <class T>
std::string bytes_of(std::initializer_list<T> numbers) {
  std::string out;
  for (const T number : numbers) out.append(reinterpret_cast<const char*>(&number), sizeof number);
  return out;
}

class BinaryAnswerTest : public ValueReaderTest {
 protected:
  static std::string tensor(const std::string& name, const std::string& datatype, const std::string& shape,
                            std::size_t bytes) {
    return R"({"name":")" + name + R"(","datatype":")" + datatype + R"(","shape":)" + shape +
           R"(,"parameters":{"binary_data_size":)" + std::to_string(bytes) + "}}";
  }
  float of(const std::string& name, const std::vector<std::uint64_t>& index, const std::string& outputs,
           const std::string& binary) {
    const std::string json = R"({"outputs":[)" + outputs + "]}";
    return value(name, index, json + binary, {BodyForm::Packed::kNo, static_cast<std::uint32_t>(json.size())});
  }
  float value(const std::string& name, const std::vector<std::uint64_t>& index, const std::string& body,
              const BodyForm& form) {
    ValueReader::Values values;
    values.fill(traffic::kNoValue);
    reader.read_response_body({{"", "", name, index}}, body, form, values);
    return values[0];
  }
};

TEST_F(BinaryAnswerTest, FindsElementsInTheDataThatComeAfterTheJson) {
  const std::string labels = text_bytes("cat") + text_bytes("") + text_bytes("dog");
  const std::string outputs = tensor("scores", "FP32", "[2,2]", 16) +
                              R"(,{"name":"n","datatype":"INT64","shape":[2],"data":[7,8]},)" +
                              tensor("label", "BYTES", "[3]", labels.size()) + "," + tensor("ok", "BOOL", "[2]", 2) +
                              "," + tensor("id", "INT64", "[1]", 8) + "," + tensor("half", "FP16", "[2]", 4);
  const std::string binary = bytes_of<float>({0.1F, 0.2F, 0.3F, NAN}) + labels + std::string("\0\1", 2) +
                             bytes_of<std::int64_t>({-5}) + bytes_of<std::uint16_t>({0x3c00, 0xc100});
  EXPECT_EQ(of("scores", {0, 1}, outputs, binary), 0.2F);
  EXPECT_EQ(of("scores", {}, outputs, binary), 0.1F);
  EXPECT_TRUE(std::isnan(of("scores", {1, 1}, outputs, binary)));
  EXPECT_EQ(of("n", {1}, outputs, binary), 8);
  EXPECT_EQ(of("label", {0}, outputs, binary), traffic::text_number("cat"));
  EXPECT_EQ(of("label", {2}, outputs, binary), traffic::text_number("dog"));
  EXPECT_EQ(of("ok", {0}, outputs, binary), 0);
  EXPECT_EQ(of("ok", {1}, outputs, binary), 1);
  EXPECT_EQ(of("id", {0}, outputs, binary), -5);
  EXPECT_EQ(of("half", {1}, outputs, binary), -2.5F);
  const float none = of("label", {3}, outputs, binary);
  EXPECT_TRUE(std::isnan(none) && !traffic::is_unread(none)) << "The answer has no such element.";
}

TEST_F(BinaryAnswerTest, TellsWhatCantBeReadFromWhatIsNotThere) {
  const std::string four(4, '\0');
  EXPECT_TRUE(traffic::is_unread(of("x", {0}, tensor("x", "FP32", "[2]", 8), four))) << "cut short";
  EXPECT_TRUE(traffic::is_unread(of("x", {1}, tensor("x", "FP32", "[2]", 4), four)));
  EXPECT_TRUE(traffic::is_unread(of("x", {0}, tensor("x", "FP99", "[1]", 4), four)));
  EXPECT_TRUE(traffic::is_unread(of("x", {0}, tensor("x", "BYTES", "[1]", 4), "\xff\xff\xff\xff")));
  EXPECT_TRUE(traffic::is_unread(value("x", {0}, "{}", {BodyForm::Packed::kNo, 3}))) << "shorter than its JSON";
  EXPECT_TRUE(traffic::is_unread(value("x", {0}, "{}", {BodyForm::Packed::kOther, 0})));
  EXPECT_TRUE(traffic::is_unread(value("x", {0}, "no gzip", {BodyForm::Packed::kGzip, 0})));
  EXPECT_FALSE(traffic::is_unread(of("y", {0}, tensor("x", "FP32", "[1]", 4), four)));
  EXPECT_FALSE(traffic::is_unread(value("x", {0}, "no JSON", {})));
}

TEST_F(BinaryAnswerTest, UnpacksWhatIsPacked) {
  // {"x":7} as Python's zlib.compress() makes it: HTTP's deflate.
  const std::string_view packed("\x78\x9c\xab\x56\xaa\x50\xb2\x32\xaf\x05\x00\x08\xa9\x02\x26", 15);
  ValueReader::Values values;
  values.fill(traffic::kNoValue);
  reader.read_response_body({{"/x", ""}}, packed, {BodyForm::Packed::kGzip, 0}, values);
  EXPECT_EQ(values[0], 7);
}

}  // namespace
}  // namespace backstay::gateway
