#pragma once

#include <filesystem>
#include <memory>
#include <mutex>

#include "ports/predictions.hpp"
#include "storage/sqlite/database.hpp"

namespace backstay {

/// Predictions in an SQLite file of their own, which one process has for itself: what is written for each request must
/// not stand in the registry's way. Thread-safe.
class SqlitePredictions : public PredictionStore {
 public:
  struct Limits {
    std::uint64_t most = 10'000'000;  ///< Some 100 bytes each.
  };
  static Result<std::unique_ptr<SqlitePredictions>> open(const std::filesystem::path& path, Limits limits);
  static Result<std::unique_ptr<SqlitePredictions>> open(const std::filesystem::path& path) {
    return open(path, Limits{});
  }

  Result<ValuePlanId> value_plan(const std::string& places) override;
  Result<std::map<ValuePlanId, std::string>> value_plans() const override;
  Result<void> remember(const std::vector<Prediction>& predictions) override;
  Result<std::vector<Joined>> label(const std::vector<Label>& labels, Timestamp now) override;
  Result<std::vector<LabelTotal>> totals() const override;

 private:
  SqlitePredictions(sqlite::Database database, Limits limits) : database_(std::move(database)), limits_(limits) {}
  Result<void> forget_oldest();
  /// False: this prediction has one of this kind already.
  Result<bool> set_once(const Label& label, const std::string& key, Timestamp now);
  Result<void> count(const Prediction& prediction, FeedbackKind kind);

  mutable std::mutex mutex_;
  sqlite::Database database_;
  Limits limits_;
  std::uint64_t held_ = 0;  ///< Rows, as far as is known: those that were there already are counted twice until a look.
};

}  // namespace backstay
