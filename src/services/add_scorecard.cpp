#include "services/add_scorecard.hpp"

#include <fmt/format.h>

#include "wire/scorecard_json.hpp"

namespace backstay::services {

Result<registry::StoredScorecard> add_scorecard(VersionStore& versions, const registry::VersionRef& ref,
                                                const registry::Scorecard& scorecard, const Actor& actor) {
  TRY_DO(registry::validate(scorecard));
  const std::string source = scorecard.source == registry::Source::kEvaluated
                                 ? ""
                                 : fmt::format(" ({})", registry::to_string(scorecard.source));
  return versions.add_scorecard(ref, scorecard,
                                {actor.name, "scorecard.add", ref.str(),
                                 fmt::format("{} measured on {} by {}{}", registry::to_string(scorecard.kind),
                                             scorecard.dataset, scorecard.evaluator, source),
                                 wire::to_json(scorecard)});
}

Result<registry::StoredScorecard> add_written_scorecard(VersionStore& versions, const registry::VersionRef& ref,
                                                        registry::Scorecard scorecard, const Actor& actor) {
  TRY_DO(registry::check_evaluator(scorecard.evaluator));
  scorecard.source = registry::Source::kByHand;
  return add_scorecard(versions, ref, scorecard, actor);
}

}  // namespace backstay::services
