#include "live/request_rows.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace backstay::live {
namespace {

/// The rows as text: "a=1 b=x", missing left out.
struct Got {
  bool readable = false;
  std::vector<std::string> rows;
};

Got read(RequestRows& reader, std::string_view body) {
  Got out;
  out.readable = reader.read(body, [&](std::span<const drift::Value> row) {
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
  });
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

}  // namespace
}  // namespace backstay::live
