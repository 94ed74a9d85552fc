#pragma once

#include <string_view>
#include <vector>

namespace backstay::wire {

/// A guardrail policy to start from: YAML that policy_from_yaml() reads, with comments on what to change.
struct PolicyTemplate {
  std::string_view name;
  std::string_view about;
  std::string_view text;
};
/// classification, regression, ranking, llm, imaging.
const std::vector<PolicyTemplate>& policy_templates();

}  // namespace backstay::wire
