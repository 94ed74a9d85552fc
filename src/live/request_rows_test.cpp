#include "live/request_rows.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

namespace backstay::live {
namespace {

/// The rows as text: "a=1 b=x", missing left out.
struct Got {
  bool readable = false;
  std::vector<std::string> rows;
};

Got read(RequestRows& reader, std::string_view body, std::size_t json_bytes = 0) {
  Got out;
  const auto on_row = [&](std::span<const drift::Value> row) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      using Kind = drift::Value::Kind;
      if (row[i].kind == Kind::kMissing) continue;
      text += (text.empty() ? "" : " ") + reader.columns()[i] + "=";
      if (row[i].kind == Kind::kNumber) text += fmt::format("{}{}", row[i].number, row[i].integer ? "" : "f");
      if (row[i].kind == Kind::kBoolean) text += row[i].number != 0 ? "true" : "false";
      if (row[i].kind == Kind::kText) text += row[i].text;
      if (row[i].kind == Kind::kNested && row[i].vector.empty()) text += "...";
      if (!row[i].vector.empty())
        text += fmt::format("[{}]", fmt::join(row[i].vector.begin(), row[i].vector.end(), ","));
    }
    out.rows.push_back(text);
  };
  out.readable = reader.read(body, on_row, json_bytes) == BodyProblem::kNone;
  return out;
}

std::vector<std::string> rows(std::string_view body, std::vector<std::string> names = {}) {
  RequestRows reader(std::move(names));
  return read(reader, body).rows;
}

TEST(RequestRows, ReadsTensorsOfTheOpenInferenceProtocol) {
  EXPECT_EQ(rows(R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2.5,3,4]}]})"),
            (std::vector<std::string>{"x[0]=1 x[1]=2.5f", "x[0]=3 x[1]=4"}));
  EXPECT_EQ(rows(R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]}]})", {"age", "size"}),
            (std::vector<std::string>{"age=1 size=2", "age=3 size=4"}));
  EXPECT_EQ(rows(R"({"inputs":[{"name":"age","shape":[2],"datatype":"INT64","data":[1,2]},
                              {"name":"site","shape":[2,1],"datatype":"BYTES","data":["a","b"]}]})"),
            (std::vector<std::string>{"age=1 site=a", "age=2 site=b"}));
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

Got binary(const std::string& tensors, const std::string& bytes) {
  RequestRows reader;
  const std::string head = R"({"inputs":[)" + tensors + "]}";
  return read(reader, head + bytes, head.size());
}

std::string tensor(const std::string& name, const std::string& datatype, const std::string& shape, std::size_t bytes) {
  return fmt::format(R"({{"name":"{}","shape":{},"datatype":"{}","parameters":{{"binary_data_size":{}}}}})", name,
                     shape, datatype, bytes);
}

TEST(RequestRows, ReadsBinaryTensors) {
  const std::string ages = bytes_of<float>({1, 2.5F, NAN, 4});
  const std::string sites("\x01\0\0\0a\0\0\0\0", 9);
  const Got got = binary(tensor("x", "FP32", "[2,2]", 16) + "," + tensor("site", "BYTES", "[2]", 9) +
                             R"(,{"name":"n","shape":[2],"datatype":"INT64","data":[7,8]})",
                         ages + sites);
  EXPECT_TRUE(got.readable);
  EXPECT_EQ(got.rows, (std::vector<std::string>{"x[0]=1f x[1]=2.5f site=a n=7", "x[1]=4f n=8"}));
  EXPECT_EQ(binary(tensor("n", "INT16", "[2]", 4), bytes_of<std::int16_t>({-3, 4})).rows,
            (std::vector<std::string>{"n=-3", "n=4"}));
  EXPECT_EQ(binary(tensor("n", "UINT64", "[1]", 8), bytes_of<std::uint64_t>({1ULL << 40})).rows[0], "n=1099511627776");
  EXPECT_EQ(binary(tensor("b", "BOOL", "[2]", 2), bytes_of<char>({0, 1})).rows,
            (std::vector<std::string>{"b=false", "b=true"}));
  EXPECT_EQ(binary(tensor("h", "FP16", "[4]", 8), bytes_of<std::uint16_t>({0x3c00, 0xc100, 0x0001, 0x7c00})).rows,
            (std::vector<std::string>{"h=1f", "h=-2.5f", "h=5.960464477539063e-08f", ""}));
  EXPECT_EQ(binary(tensor("h", "BF16", "[1]", 2), bytes_of<std::uint16_t>({0x3fc0})).rows[0], "h=1.5f");
  EXPECT_EQ(binary(tensor("d", "FP64", "[1]", 8), bytes_of<double>({0.1})).rows[0], "d=0.1f");
}

TEST(RequestRows, RefusesBinaryTensorsThatAreNotWhatTheJsonSays) {
  const std::string eight(8, '\0');
  EXPECT_FALSE(binary(tensor("x", "FP32", "[3]", 8), eight).readable) << "too few";
  EXPECT_FALSE(binary(tensor("x", "FP32", "[2]", 12), eight).readable) << "more than there is";
  EXPECT_FALSE(binary(tensor("x", "FP32", "[1]", 8), eight).readable) << "too many";
  EXPECT_FALSE(binary(tensor("x", "FP99", "[2]", 8), eight).readable);
  EXPECT_FALSE(binary(tensor("x", "BYTES", "[1]", 4), "\xff\xff\xff\xff").readable);
  EXPECT_FALSE(binary(tensor("x", "BYTES", "[1]", 8), eight).readable) << "bytes are left over";
  EXPECT_FALSE(binary(R"({"name":"x","shape":[2],"datatype":"FP32"})", eight).readable);
  EXPECT_FALSE(
      binary(R"({"name":"x","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":-8}})", eight).readable);
}

TEST(RequestRows, ReadsRowsOfOtherServers) {
  EXPECT_EQ(rows(R"({"instances":[{"a":1,"b":{"c":true,"d":null}},{"a":2,"e":[1]}]})"),
            (std::vector<std::string>{"a=1 b.c=true", "a=2 e=[1]"}));
  EXPECT_EQ(rows(R"({"instances":[[1,2],[3,4]]})", {"p", "q"}), (std::vector<std::string>{"p=1 q=2", "p=3 q=4"}));
  EXPECT_EQ(rows(R"({"dataframe_split":{"columns":["a","b"],"data":[[1,"x"],[2,null]]}})"),
            (std::vector<std::string>{"a=1 b=x", "a=2"}));
  EXPECT_EQ(rows(R"({"dataframe_records":[{"a":1}]})"), (std::vector<std::string>{"a=1"}));
  EXPECT_EQ(rows(R"([{"a":1},{"a":2}])"), (std::vector<std::string>{"a=1", "a=2"}));
  EXPECT_EQ(rows(R"({"a":"","b":7})"), (std::vector<std::string>{"b=7"}));
  EXPECT_EQ(rows(R"({"predictions":[0.5,1]})"), (std::vector<std::string>{"value=0.5f", "value=1"}));
}

TEST(RequestRows, ListsOfNumbersAreVectors) {
  EXPECT_EQ(rows(R"([{"a":[1,2.5],"b":[3]},{"a":[],"b":[1,"x"]},{"a":[[1]],"b":[null]}])"),
            (std::vector<std::string>{"a=[1,2.5] b=[3]", "a=... b=...", "a=... b=..."}));
  EXPECT_EQ(rows(R"({"dataframe_split":{"columns":["a"],"data":[[[1,2]]]}})"), (std::vector<std::string>{"a=[1,2]"}));
}

TEST(RequestRows, WideTensorsAndThoseThatAreExpectedToBeAreVectors) {
  const std::string narrow = R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3,4]}]})";
  EXPECT_EQ(rows(narrow), (std::vector<std::string>{"x[0]=1 x[1]=2", "x[0]=3 x[1]=4"}));
  RequestRows reader;
  reader.expect_vector("x");
  EXPECT_EQ(read(reader, narrow).rows, (std::vector<std::string>{"x=[1,2]", "x=[3,4]"}));
  std::string data = "0";
  for (int i = 1; i < 600; ++i) data += fmt::format(",{}", i);
  const auto wide =
      rows(fmt::format(R"({{"inputs":[{{"name":"x","shape":[2,300],"datatype":"FP32","data":[{}]}}]}})", data));
  ASSERT_EQ(wide.size(), 2u);
  EXPECT_TRUE(wide[1].starts_with("x=[300,301,")) << wide[1];
}

TEST(RequestRows, KeepsColumnsApartFromRequestToRequest) {
  RequestRows reader;
  EXPECT_EQ(read(reader, R"({"a":1})").rows, (std::vector<std::string>{"a=1"}));
  EXPECT_EQ(read(reader, R"({"b":2})").rows, (std::vector<std::string>{"b=2"}));
  EXPECT_EQ(reader.columns(), (std::vector<std::string>{"a", "b"}));
}

TEST(RequestRows, RefusesWhatHasNoRows) {
  RequestRows reader;
  for (const char* body :
       {"", "{", "7", "\"x\"", R"({"inputs":[{"name":"x","shape":[3],"data":[1]}]})",
        R"({"inputs":[{"name":"x","shape":[2],"data":[1,2]},{"name":"y","shape":[1],"data":[1]}]})",
        R"({"inputs":[{"name":"x","shape":[4000000000,4000000000],"data":[1]}]})",
        R"({"inputs":[{"name":"x","shape":[-1],"data":[1]}]})", R"({"dataframe_split":{"columns":[1],"data":[[1]]}})"})
    EXPECT_FALSE(read(reader, body).readable) << body;
}

TEST(RequestRows, NeverHasMoreColumnsThanAProfile) {
  RequestRows reader;
  for (int i = 0; i < 400; ++i) read(reader, fmt::format(R"({{"k{}":1}})", i));
  EXPECT_EQ(reader.columns().size(), RequestRows::kMaxColumns);
}

TEST(RequestRows, ReadsColumnsThatAreExpectedHoweverManyOthersCameBefore) {
  RequestRows reader;
  reader.expect_column("age");
  for (int i = 0; i < 400; ++i) read(reader, fmt::format(R"({{"k{}":1}})", i));
  EXPECT_EQ(reader.left_out(), 1u);
  EXPECT_EQ(read(reader, R"({"age":3,"new":4})").rows, (std::vector<std::string>{"age=3"}));
  reader.forget_columns();
  EXPECT_TRUE(reader.columns().empty());
  EXPECT_EQ(reader.left_out(), 0u);
  EXPECT_EQ(read(reader, R"({"new":4,"age":3})").rows, (std::vector<std::string>{"new=4 age=3"}));
}

TEST(RequestRows, HasNoMoreColumnsThanAProfileWithThoseThatAreExpected) {
  RequestRows reader;
  for (int i = 0; i < 2'000; ++i) reader.expect_column(fmt::format("age{}", i));
  for (int i = 0; i < 2'000; ++i) read(reader, fmt::format(R"({{"k{}":1,"age{}":1}})", i, i));
  EXPECT_EQ(reader.columns().size(), drift::Profile::kMaxColumns);
  EXPECT_EQ(reader.columns().back(), fmt::format("age{}", drift::Profile::kMaxColumns - 1));
}

}  // namespace
}  // namespace backstay::live
