#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "domain/traffic/outcome.hpp"

/// Which version answered what, until the label comes: minutes or weeks later.
namespace backstay {

/// The number of a list of the places that values were looked for in, in the order of an outcome's values. The store
/// gives it to the list's text, from 1 on.
using ValuePlanId = std::uint32_t;
inline constexpr ValuePlanId kNoValuePlan = 0;  ///< Nobody knows what the values are.

/// An answer that a client got.
struct Prediction {
  std::string endpoint;
  std::string version;
  traffic::Outcome
      outcome;  ///< What a store gives back has no `endpoint`, `version` and `at`: they mean nothing later.
  ValuePlanId values_of = kNoValuePlan;  ///< What the outcome's values are.
};

/// What users of an answer tell of it.
enum class FeedbackKind : std::uint8_t {
  kLabel,       ///< What the prediction should have been.
  kReport,      ///< A complaint.
  kConversion,  ///< What was hoped for was done.
};
inline constexpr std::size_t kFeedbackKinds = 3;

/// One piece of feedback; a label unless it says otherwise.
struct Label {
  traffic::PredictionId prediction;
  double value = 0;
  FeedbackKind kind = FeedbackKind::kLabel;
};

/// How much feedback a version's answers have got, ever.
struct LabelTotal {
  std::string endpoint;
  std::string version;
  std::uint64_t labels = 0;
  std::uint64_t reports = 0;
  std::uint64_t conversions = 0;
};

class PredictionStore {
 public:
  virtual ~PredictionStore() = default;

  /// The number of a list of places, the same for the same text ever after: durable before any prediction that has it.
  virtual Result<ValuePlanId> value_plan(const std::string& places) = 0;
  /// All that there are.
  virtual Result<std::map<ValuePlanId, std::string>> value_plans() const = 0;

  /// Survives the process when this returns. Remembering again changes nothing. The oldest are forgotten when there are
  /// too many.
  virtual Result<void> remember(const std::vector<Prediction>& predictions) = 0;

  enum class Fate : std::uint8_t {
    kJoined,     ///< The first of its kind of this prediction.
    kDuplicate,  ///< It has one already, which stays.
    kUnknown,    ///< Not predicted here, or forgotten.
  };
  struct Joined {
    Fate fate = Fate::kUnknown;
    Prediction prediction;  ///< kJoined.
  };
  /// One for each label, in order; all in one transaction, which survives a power failure when this returns. After a
  /// failure none of them has been joined.
  virtual Result<std::vector<Joined>> label(const std::vector<Label>& labels, Timestamp now) = 0;

  virtual Result<std::vector<LabelTotal>> totals() const = 0;
};

}  // namespace backstay
