#include <fmt/format.h>
#include <gtest/gtest.h>

#include "wire/manifest_json.hpp"
#include "wire/reports.hpp"
#include "wire/rollout_json.hpp"
#include "wire/scorecard_json.hpp"
#include "wire/suite_yaml.hpp"

namespace backstay::wire {
namespace {

registry::Manifest full_manifest() {
  registry::Manifest m;
  m.ref = registry::VersionRef::parse("m@1.0.0").value();
  m.artifacts = {{"a/model.onnx", 3, sha256("abc")}};
  m.code = {"git@x:y", "c0ffee", "", {{"prep.py", sha256("p")}}};
  m.data = {{"cells", "training", "s3://x", {{"site-a", sha256("a"), 10, "clean"}}}};
  m.config = {{"optimizer.lr", "0.1"}, {"seed", "7"}};
  m.environment = {
      "img@sha256:00", "debian 12", "cpu", {{"requirements.txt", sha256("r")}}, {{"scikit-learn", "1.5.2"}}};
  m.dependencies = {{"features", "database", "upstream", ">=2", ""}};
  m.signature = {{{"x", "FP32", {-1, 30}}}, {{"y", "FP32", {-1, 2}}}};
  m.serving = {"openvino", "a/model.onnx"};
  m.parents = {registry::VersionRef::parse("m@0.9.0").value()};
  m.changelog = "First \"real\" one.\nTwo lines.";
  return m;
}

TEST(ManifestJson, IsCanonicalAndReadsBack) {
  const registry::Manifest manifest = full_manifest();
  const std::string text = to_canonical_json(manifest);
  const auto back = manifest_from_json("m", text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, manifest);
  EXPECT_EQ(to_canonical_json(*back), text);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(to_canonical_json(registry::Manifest{}).find("config"), std::string::npos);
}

TEST(ManifestJson, KeepsTheBytesOfManifestsFromBeforeRulesProfilesAndPinning) {
  const std::string old =
      R"({"artifacts":[{"path":"a.onnx","sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size_bytes":3}],)"
      R"("changelog":"x","code":{"commit":"c0ffee"},"config":{"seed":"7"},"data":[{"name":"d","role":"training",)"
      R"("slices":[{"name":"a","rows":3,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}]}],)"
      R"("environment":{"frameworks":{"numpy":"2.0"},"image":"train:latest","os":"debian"},"model":"m","version":"1.0.0"})";
  const auto manifest = manifest_from_json("old", old);
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(to_canonical_json(*manifest), old);
}

TEST(ManifestJson, KeepsHowASliceWasMade) {
  registry::Manifest m = full_manifest();
  m.data[0].slices[0].rule = {"rows/1", "site", "a b", 0, 0};
  m.data[0].slices[0].sources = {"data/b.csv", "data/a.csv"};
  m.data[0].slices[0].profile_sha256 = sha256("p").hex();
  m.data[0].profile_sha256 = sha256("whole").hex();
  m.data[0].slices.push_back({"first", sha256("f"), 1, "", {"rows/1", "", "", 0, 0}});
  m.data[0].slices.push_back({"next", sha256("n"), 9, "", {"rows/1", "", "", 1, 9}});
  m.environment.python = "3.11.2";
  m.environment.pinning = "weak";
  m.environment.findings = {"requirements.txt: numpy has no hash"};
  const auto back = manifest_from_json("m", to_canonical_json(m));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, m);
}

TEST(ManifestJson, RefusesUnknownKeys) {
  const auto bad = manifest_from_json("the manifest", R"({"model":"m","version":"1.0.0","changlog":"x"})");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().hint, "Did you mean 'changelog'?");
}

TEST(RolloutJson, ReadsBackWhatItWrote) {
  rollout::State state;
  state.id = "e-3";
  state.endpoint = "e";
  state.stable = "1.0.0";
  state.candidate = "2.0.0";
  state.plan = rollout::default_plan();
  state.plan.steps[1].approval = true;
  state.plan.approve_promotion = true;
  rollout::Requirement required;
  required.guardrail = "errors";
  required.tolerance = 1.5;
  state.plan.steps[0].proof = {{required}, std::chrono::hours(2), rollout::Proof::Otherwise::kPause};
  required.claim = rollout::Requirement::Claim::kMeets;
  required.tolerance.reset();
  required.at_least = 0.97;
  required.alpha = 0.01;
  state.plan.proof.require = {required};
  state.proven = 1;
  state.plan.calendar.hours =
      rollout::OpeningHours{0x1f, std::chrono::hours(9), std::chrono::hours(17), std::chrono::minutes(-90)};
  state.plan.calendar.freezes = {{Timestamp(std::chrono::hours(24)), Timestamp(std::chrono::hours(48)), "holidays"}};
  state.approved = 2;
  state.asked = 3;
  state.phase = rollout::Phase::kRolledBack;
  state.step_index = 1;
  state.started_at = Timestamp(microseconds(1'700'000'000'123'456));
  state.phase_since = state.started_at + seconds(5);
  state.samples = 12;
  state.revision = 4;
  state.cause = rollout::Cause{"guardrail", "backstay", "too many \"errors\"", "{\"e\":1}"};
  const auto back = rollout_from_json(to_json(state));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, state);
}

TEST(PlanYaml, ReadsWhatAStepRequires) {
  const auto read = [](const std::string& require) {
    rollout::Plan plan = rollout::default_plan();
    const auto document =
        Document::from_yaml("plan.yaml", "steps: [{canary: 5%, for: 10m, within: 2h, require: " + require + "}]");
    Fields fields(*document);
    read_plan(fields, plan);
    const auto result = fields.finish();
    return result ? Result<rollout::Plan>(plan) : Unexpected(result.error());
  };
  const auto plan = read("[errors, {superior: clicks, alpha: 0.01}]");
  ASSERT_TRUE(plan) << plan.error().message;
  const rollout::Proof& proof = plan->steps.at(0).proof;
  EXPECT_EQ(proof.require.at(0).claim, rollout::Requirement::Claim::kNonInferior);
  EXPECT_EQ(proof.require.at(0).guardrail, "errors");
  EXPECT_EQ(proof.require.at(1).claim, rollout::Requirement::Claim::kSuperior);
  EXPECT_EQ(proof.require.at(1).alpha, 0.01);
  EXPECT_EQ(proof.within, std::chrono::hours(2));
  EXPECT_NE(read("[{superior: a, meets: b}]").error().message.find("exactly one"), std::string::npos);
  EXPECT_FALSE(read("[{tolerance: 2}]"));
  EXPECT_FALSE(read("[{non_inferior: errors, tolerence: 2}]"));
}

TEST(GateYaml, ReadsRulesAndRefusesTwoBoundsInOne) {
  const auto gate = gate_from(Document::from_yaml("gate.yaml",
                                                  "name: production\nrules:\n  - {metric: accuracy, at_least: 0.9}\n"
                                                  "  - {metric: sensitivity, max_gap: 0.1}\n")
                                  .value());
  ASSERT_TRUE(gate) << gate.error().message;
  EXPECT_EQ(gate->rules.at(1).kind, gates::Rule::Kind::kMaxGap);
  EXPECT_FALSE(gate_from(Document::from_yaml("g", "name: p\nrules: [{metric: a, at_least: 1, at_most: 2}]").value()));
  EXPECT_FALSE(gate_from(Document::from_yaml("g", "name: p\nrules: []").value()));
}

TEST(ScorecardJson, SaysWhereAScorecardCameFromAndTakesNobodysWordForIt) {
  registry::Scorecard card{registry::ScorecardKind::kQuality, "d", "e", {{"accuracy", "", 0.9, 100, {}, {}}}};
  for (const auto source : {registry::Source::kByHand, registry::Source::kEvaluated, registry::Source::kSigned}) {
    card.source = source;
    const auto stored = stored_scorecard_from(Document::from_json("card", to_json(card)).value());
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_EQ(stored->source, source);
    EXPECT_FALSE(scorecard_from(Document::from_json("card", to_json(card)).value())) << "source is no key of people";
  }
  const auto old = stored_scorecard_from(
      Document::from_json("card", R"({"kind": "quality", "metrics": [{"name": "accuracy", "value": 0.9}]})").value());
  ASSERT_TRUE(old);
  EXPECT_EQ(old->source, registry::Source::kUnrecorded);
}

TEST(ScorecardJson, RefusesEvaluatorsThatClaimToBeThisProgramOrSigned) {
  for (const char* claim :
       {"backstay evaluate 0.1.0, suite s", "Backstay", " backstay-evaluate", "lab, signed by key 12ab",
        "lab, SIGNED-BY 12ab", "x, data sha256:0123", "x, statement sha256:01"})
    EXPECT_FALSE(registry::check_evaluator(claim)) << claim;
  for (const char* name : {"ci", "", "tests/evaluate.py", "Lab of signal processing"})
    EXPECT_TRUE(registry::check_evaluator(name)) << name;
}

TEST(GateYaml, SaysWhichScorecardsCount) {
  const auto read = [](const std::string& evidence) {
    return gate_from(
        Document::from_yaml("g", "name: p\nevidence: " + evidence + "\nrules: [{metric: a, at_least: 1}]").value());
  };
  const auto gate = read("[evaluated, signed]");
  ASSERT_TRUE(gate) << gate.error().message;
  EXPECT_EQ(gate->evidence, (std::vector{registry::Source::kEvaluated, registry::Source::kSigned}));
  EXPECT_FALSE(read("[measured]"));
  EXPECT_FALSE(read("[]"));
}

TEST(VerdictJson, NamesTheRulesThatRestOnWhatSomebodyWrote) {
  gates::Verdict verdict;
  verdict.rows = {{"version is complete", "complete", gates::Decision::kPass, ""},
                  {"accuracy >= 0.9", "0.95", gates::Decision::kPass, "", true}};
  EXPECT_EQ(rules_by_hand(to_json(verdict)), std::vector<std::string>{"accuracy >= 0.9"});
  for (const char* other : {"", "[]", "{}", "{\"rows\": 3}", "{\"rows\": [1, {\"by_hand\": true}]}"})
    EXPECT_TRUE(rules_by_hand(other).empty()) << other;
}

TEST(Reports, EscapeWhatAPathAndAPageMustNotHold) {
  GateReport report;
  report.version = *registry::VersionRef::parse("m@1.0.0");
  report.gate_file = "gates/my g\xc3\xa4te 100%.yaml";
  report.verdict.rows = {{"a \xe2\x80\xae b", "1", gates::Decision::kFail, "no"}};
  EXPECT_NE(to_sarif(report).find("gates/my%20g%C3%A4te%20100%25.yaml"), std::string::npos);
  for (const std::string& page : {to_markdown(report), to_junit(report), to_github_annotations(report)}) {
    EXPECT_EQ(page.find("\xe2\x80\xae"), std::string::npos);
    EXPECT_NE(page.find("a ? b"), std::string::npos);
  }
}

TEST(SuiteYaml, RefusesALatencyOfNoRequestsAndAnImpossibleClip) {
  const auto read = [](const std::string& more) {
    return suite_from(Document::from_yaml("s",
                                          "name: s\nsets: [{name: a, files: a.csv, inputs: [{columns: [x]}], label: y, "
                                          "classes: [\"0\", \"1\"], " +
                                              more + "}]")
                          .value());
  };
  EXPECT_FALSE(read("latency: {requests: 0}"));
  EXPECT_TRUE(read("latency: {requests: 10}"));
  EXPECT_FALSE(read("clip: 0"));
  const auto clipped = read("clip: 0.001");
  ASSERT_TRUE(clipped) << clipped.error().message;
  EXPECT_EQ(clipped->sets[0].clip, 0.001);
}

TEST(SuiteYaml, RefusesKeysThatItsTaskWouldNotUse) {
  const auto read = [](const std::string& more) {
    return suite_from(
        Document::from_yaml(
            "s", "name: s\nsets: [{name: a, files: a.csv, inputs: [{columns: [x]}], label: y, " + more + "}]")
            .value());
  };
  const std::string classes = "classes: [\"0\", \"1\"]";
  EXPECT_TRUE(read(classes + ", bins: 5"));
  EXPECT_TRUE(read("task: ranking, query: q, cutoffs: [5]"));
  for (const std::string& refused :
       {classes + ", cutoffs: [5]", std::string("task: regression, bins: 5"), "task: regression, " + classes,
        std::string("task: ranking, query: q, clip: 0.1"), classes + ", output: {kind: label, threshold: 0.3}",
        std::string("task: regression, output: {threshold: 0.3}")})
    EXPECT_FALSE(read(refused)) << refused;
}

TEST(SuiteYaml, ReadsUrlsByVersion) {
  const auto read = [](const std::string& backend) {
    return suite_from(Document::from_yaml("s", "name: s\nbackend: {kind: url" + backend +
                                                   "}\nsets: [{name: a, files: a.csv, inputs: [{columns: [x]}], "
                                                   "label: y, classes: [\"0\", \"1\"]}]")
                          .value());
  };
  EXPECT_FALSE(read(""));
  const auto suite = read(", url: \"http://a:1\", urls: {1.0.0: \"http://b:1\"}");
  ASSERT_TRUE(suite) << suite.error().message;
  EXPECT_EQ(suite->backend.url_of("1.0.0"), "http://b:1");
  EXPECT_EQ(suite->backend.url_of("1.1.0"), "http://a:1");
}

TEST(GuardrailYaml, ReadsASafetyGuardrail) {
  const auto document = Document::from_yaml(
      "f",
      "name: safety\nsignal: {kind: response_value, json_pointer: /safety, ok_when: {at_least: 0.5}}\n"
      "objective: {at_least: 0.95}\nwindow: 1h\n");
  guardrails::GuardrailSpec spec;
  Fields fields(*document);
  read_guardrail(fields, spec);
  const auto result = fields.finish();
  ASSERT_TRUE(result) << result.error().message << result.error().hint;
  EXPECT_EQ(spec.objective.bound, 0.95);
  EXPECT_EQ(spec.window, std::chrono::hours(1));
  ASSERT_TRUE(spec.signal.ok_when);
}

TEST(GuardrailYaml, PassesOnWhyItIsRefused) {
  const auto document =
      Document::from_yaml("f", "name: s\nsignal: {kind: response_value}\nobjective: {at_least: 0.95}");
  guardrails::GuardrailSpec spec;
  Fields fields(*document);
  read_guardrail(fields, spec);
  EXPECT_NE(fields.finish().error().message.find("json_pointer"), std::string::npos);
}

TEST(ManifestJson, RefusesAShapeThatIsNoInteger) {
  for (const char* size : {"-1.2e27", "0.5", "1e999"}) {
    const std::string text = fmt::format(
        R"({{"model":"m","version":"1.0.0","signature":{{"inputs":[{{"name":"x","datatype":"FP32","shape":[{}]}}]}}}})",
        size);
    EXPECT_FALSE(manifest_from_json("the body", text)) << size;
  }
}

}  // namespace
}  // namespace backstay::wire
