#include <string>
#include <string_view>

#include "fuzz/check.hpp"
#include "wire/document.hpp"
#include "wire/rollout_json.hpp"
#include "wire/scorecard_json.hpp"
#include "wire/suite_yaml.hpp"
#include "wire/version_spec.hpp"

using namespace backstay;

/// What people write: version.yaml, gates, scorecards, suites, plans, guardrails; as YAML and as JSON.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const bool yaml : {true, false}) {
    const auto document = yaml ? wire::Document::from_yaml("f", text) : wire::Document::from_json("f", text);
    if (!document) {
      CHECK(!document.error().message.empty());
      continue;
    }
    if (const auto spec = wire::version_spec_from(*document)) CHECK(!spec->artifacts.empty());
    if (const auto gate = wire::gate_from(*document)) CHECK(gates::validate(*gate));
    if (const auto suite = wire::suite_from(*document)) CHECK(evaluation::validate(*suite));
    if (const auto scorecard = wire::scorecard_from(*document)) {
      const auto copy = wire::Document::from_json("copy", wire::to_json(*scorecard));
      CHECK(copy && wire::stored_scorecard_from(*copy));
    }
    rollout::Plan plan;
    wire::Fields plan_fields(*document);
    wire::read_plan(plan_fields, plan);
    static_cast<void>(plan_fields.finish().has_value() && plan.validate());
    guardrails::GuardrailSpec guardrail;
    wire::Fields guardrail_fields(*document);
    wire::read_guardrail(guardrail_fields, guardrail);
    if (guardrail_fields.finish()) CHECK(guardrails::validate(guardrail));
    guardrails::Policy policy;
    wire::Fields policy_fields(*document);
    wire::read_policy(policy_fields, policy);
    if (policy_fields.finish()) CHECK(guardrails::validate(policy));
  }
  return 0;
}
