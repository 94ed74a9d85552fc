#include "domain/rollout/requirement.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::rollout {

namespace {

constexpr std::size_t kMost = 8;

Unexpected wrong(const std::string& where, const std::string& what, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} {}.", where, what), std::move(hint));
}

std::string number(double log_e) {
  if (log_e > 13.8) return "more than 1,000,000";
  const double e = std::exp(log_e);
  return e < 10 ? fmt::format("{:.1f}", e) : fmt::format("{:.0f}", e);
}

}  // namespace

bool Proof::holds(const std::vector<Shown>& shown) const {
  return require.empty() || (shown.size() == require.size() &&
                             std::all_of(shown.begin(), shown.end(), [](const Shown& s) { return s.holds(); }));
}

Result<void> validate(const Proof& proof, milliseconds least, const std::string& where) {
  if (proof.require.size() > kMost)
    return wrong(where, fmt::format("requires {} tests; {} is the most", proof.require.size(), kMost),
                 "Keep those that a person would wait for.");
  for (const Requirement& item : proof.require) {
    if (item.guardrail.empty())
      return wrong(where, "requires a test without a name", "Name a guardrail: require: [{non_inferior: errors}].");
    if (!(item.alpha > 0 && item.alpha <= 0.5))
      return wrong(where, "requires a test with an alpha outside of (0, 0.5]", "0.05 is usual.");
    const bool meets = item.claim == Requirement::Claim::kMeets;
    const bool inferior = item.claim == Requirement::Claim::kNonInferior;
    if ((!inferior && (item.tolerance || item.margin)) || (!meets && (item.at_least || item.at_most)))
      return wrong(where, fmt::format("requires {} with a bound that is none of it", describe(item)),
                   "non_inferior takes tolerance or margin, meets takes at_least or at_most, superior takes none.");
    if (item.at_least && item.at_most)
      return wrong(where, fmt::format("requires {} with two bounds", describe(item)), "Give one of them.");
  }
  if (proof.within < milliseconds{0} || (proof.within > milliseconds{0} && proof.within < least))
    return wrong(where, "gives less time for what it requires than it lasts", "Make within: longer than the step.");
  if (proof.within > milliseconds{0} && proof.require.empty())
    return wrong(where, "has a time limit and requires nothing", "Write require: [{non_inferior: errors}] beside it.");
  return {};
}

std::string describe(const Requirement& requirement) {
  switch (requirement.claim) {
    case Requirement::Claim::kMeets: return fmt::format("the objective of {}", requirement.guardrail);
    case Requirement::Claim::kNonInferior: return fmt::format("non-inferiority of {}", requirement.guardrail);
    case Requirement::Claim::kSuperior: return fmt::format("superiority of {}", requirement.guardrail);
  }
  return requirement.guardrail;
}

std::string describe(const Proof& proof, const std::vector<Shown>& shown, bool missing) {
  std::string out;
  for (std::size_t i = 0; i < proof.require.size(); ++i) {
    const Requirement& item = proof.require[i];
    const Shown seen = i < shown.size() ? shown[i] : Shown{0, -std::log(item.alpha)};
    if (missing && seen.holds()) continue;
    out += fmt::format("{}{}: E {} of {:.0f}{}", out.empty() ? "" : "; ", describe(item), number(seen.log_e),
                       std::exp(seen.log_limit), seen.enough ? "" : ", of too few outcomes");
  }
  return out;
}

}  // namespace backstay::rollout
