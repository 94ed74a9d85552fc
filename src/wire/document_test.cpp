#include "wire/document.hpp"

#include <gtest/gtest.h>

namespace backstay::wire {
namespace {

struct Read {
  std::string name;
  double confidence = 0.95;
  milliseconds wait{0};
  std::uint32_t share = 0;
  std::vector<std::string> rules;
  Result<void> result;
};

Read read(const Document& document) {
  Read out;
  Fields fields(document);
  fields.required("name", out.name);
  fields.optional("confidence", out.confidence);
  fields.optional("wait", out.wait);
  fields.optional_share("share", out.share);
  fields.each("rules", [&](Fields& rule) { rule.required("metric", out.rules.emplace_back()); });
  out.result = fields.finish();
  return out;
}

Read read_yaml(const std::string& text) {
  return read(Document::from_yaml("gate.yaml", text).value());
}

TEST(Fields, ReadYamlAndJsonAlike) {
  const Read yaml =
      read_yaml("name: 1.0\nconfidence: 0.9\nwait: 10m\nshare: 5%\nrules:\n  - metric: a\n  - {metric: b}\n");
  ASSERT_TRUE(yaml.result) << yaml.result.error().message;
  EXPECT_EQ(yaml.name, "1.0");
  EXPECT_EQ(yaml.wait, std::chrono::minutes(10));
  EXPECT_EQ(yaml.share, 50'000U);
  EXPECT_EQ(yaml.rules, (std::vector<std::string>{"a", "b"}));
  const auto document =
      Document::from_json("the body", R"({"name":"x","confidence":0.9,"share":0.05,"rules":[{"metric":"a"}]})");
  const Read json = read(*document);
  ASSERT_TRUE(json.result);
  EXPECT_EQ(json.share, 50'000U);
}

TEST(Fields, AnUnknownKeyGetsItsLineAndTheNearestValidOne) {
  const Read out = read_yaml("name: x\nrules:\n  - metrc: a\n    metric: b\n");
  ASSERT_FALSE(out.result);
  EXPECT_EQ(out.result.error().message, "gate.yaml line 3: 'rules[0].metrc' is not a known key.");
  EXPECT_EQ(out.result.error().hint, "Did you mean 'metric'?");
}

TEST(Fields, AMisspeltKeyIsToldBeforeWhatItMakesMissing) {
  const Read out = read_yaml("nam: x\nconfidence: high\n");
  ASSERT_FALSE(out.result);
  EXPECT_EQ(out.result.error().message, "gate.yaml line 1: 'nam' is not a known key.");
  EXPECT_EQ(out.result.error().hint, "Did you mean 'name'?");
}

TEST(Fields, SayWhatIsWrongAndWhere) {
  for (const auto& [text, message] : std::vector<std::pair<const char*, const char*>>{
           {"confidence: 1", "gate.yaml: 'name' is missing."},
           {"name: x\nconfidence: high", "gate.yaml line 2: 'confidence' is not a number."},
           {"name: x\nwait: 10", "gate.yaml line 2: 'wait' is '10', not a duration."},
           {"name: x\nshare: 5", "gate.yaml line 2: 'share' is not a share of traffic."},
           {"name: x\nrules: 5", "gate.yaml line 2: 'rules' is not a list."},
           {"- a", "gate.yaml line 1: the document is not a map of keys and values."}}) {
    const Read out = read_yaml(text);
    ASSERT_FALSE(out.result) << text;
    EXPECT_EQ(out.result.error().message, message);
    EXPECT_NE(out.result.error().hint, "") << text;
  }
}

TEST(Fields, TakeAWholeSentenceAsItIs) {
  const Document document = Document::from_yaml("f", "name: x").value();
  Fields fields(document);
  std::string name;
  fields.required("name", name);
  fields.fail("name", "The name 'x' is taken.", "Choose another.");
  EXPECT_EQ(fields.finish().error().message, "f line 1: 'name': The name 'x' is taken.");
}

TEST(Document, SaysWhatToDoAboutWhatItRefuses) {
  for (const char* text : {"a: 1\na: 2", "a: [1", "", "? [a]\n: b", "a: &a [*a]"}) {
    const auto refused = Document::from_yaml("f", text);
    ASSERT_FALSE(refused) << text;
    EXPECT_NE(refused.error().hint, "") << text;
  }
  for (const char* text : {R"({"a":1,"a":2})", R"({"a":)", ""})
    EXPECT_NE(Document::from_json("f", text).error().hint, "");
}

TEST(Document, RefusesWhatCannotBeMeant) {
  EXPECT_FALSE(Document::from_yaml("f", "a: 1\na: 2"));
  EXPECT_FALSE(Document::from_yaml("f", "a: [1"));
  EXPECT_FALSE(Document::from_yaml("f", ""));
  EXPECT_FALSE(Document::from_json("f", R"({"a":1,"a":2})"));
  EXPECT_FALSE(Document::from_json("f", R"({"a":)"));
  EXPECT_FALSE(Document::from_json("f", std::string(100'000, '[')));
  EXPECT_FALSE(Document::from_yaml("f", std::string(1'000, '[')));
  // Ten aliases of ten aliases of ...: a billion nodes in a few lines.
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string ref = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + ref;
    for (int k = 0; k < 9; ++k) bomb += ", " + ref;
    bomb += "]\n";
  }
  EXPECT_FALSE(Document::from_yaml("f", bomb));
}

}  // namespace
}  // namespace backstay::wire
