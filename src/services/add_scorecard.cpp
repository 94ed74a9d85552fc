#include "services/add_scorecard.hpp"

#include <fmt/format.h>

#include "wire/scorecard_json.hpp"

namespace backstay::services {

Result<registry::StoredScorecard> add_scorecard(VersionStore& versions, const registry::VersionRef& ref,
                                                const registry::Scorecard& scorecard, const Actor& actor) {
  TRY_DO(registry::validate(scorecard));
  return versions.add_scorecard(ref, scorecard,
                                {actor.name, "scorecard.add", ref.str(),
                                 fmt::format("{} measured on {} by {}", registry::to_string(scorecard.kind),
                                             scorecard.dataset, scorecard.evaluator),
                                 wire::to_json(scorecard)});
}

}  // namespace backstay::services
