#include "domain/drift/row_profile.hpp"

#include <algorithm>

namespace backstay::drift {

void RowProfile::add(std::span<const Value> row) {
  pending_.add(row);
  if (!pending_.full()) return;
  take(pending_);
  pending_.clear();
}

void RowProfile::add(const RowBlock& block) {
  if (pending_.rows() > 0) {
    take(pending_);
    pending_.clear();
  }
  take(block);
}

void RowProfile::take(const RowBlock& block) {
  rows_ += block.rows();
  const std::size_t count = std::min(block.columns().size(), max_columns_);
  while (columns_.size() < count)
    columns_.emplace_back(columns_.size() < kFineColumns ? resolution_ : QuantileSketch::kUsual);
  frequent_.resize(columns_.size());
  for (std::size_t i = 0; i < count; ++i) columns_[i].add(block, block.columns()[i], frequent_[i]);
  pairs_.add(block);
}

Profile RowProfile::named(const std::vector<std::string>& names, const std::set<std::string>& without) const {
  if (pending_.rows() > 0) {
    RowProfile all = *this;
    all.add(RowBlock(0));
    return all.named(names, without);
  }
  Profile out;
  out.rows = rows_;
  std::map<std::size_t, std::string> told;
  for (std::size_t i = 0; i < columns_.size() && i < names.size(); ++i) {
    const std::string name = std::string(kept_name(names[i]));
    if (without.contains(name) || out.find(name) != nullptr) continue;
    out.columns.push_back({name, columns_[i]});
    ColumnProfile& column = out.columns.back().column;
    column.add(frequent_[i]);
    column.missing = rows_ - column.present();
    column.quantiles.settle();
    told.emplace(i, name);
  }
  out.left_out = names.size() - std::min(names.size(), max_columns_);
  out.pairs = pairs_.named(told);
  return out;
}

StreamWatch::StreamWatch(const Profile& training, const WatchPlan& plan, const std::set<std::string>& ignored) {
  const auto watched =
      static_cast<double>(std::count_if(training.columns.begin(), training.columns.end(),
                                        [&](const Profile::Named& column) { return !ignored.contains(column.name); }));
  WatchPlan each = plan;
  each.alpha /= std::max(1.0, watched);
  for (const Profile::Named& column : training.columns) {
    if (ignored.contains(column.name)) continue;
    ColumnWatch watch(column.column, each);
    if (watch.watches()) columns_.push_back({column.name, kNowhere, std::move(watch)});
  }
}

void StreamWatch::set_columns(const std::vector<std::string>& names) {
  placed_ = 0;
  for (Watched& column : columns_) {
    const auto found = std::find(names.begin(), names.end(), column.name);
    column.place = found == names.end() ? kNowhere : static_cast<std::size_t>(found - names.begin());
    if (column.place != kNowhere) ++placed_;
  }
}

void StreamWatch::observe(const RowBlock& block) {
  static const RowBlock::Column kNothing;
  for (Watched& column : columns_) {
    const bool is_there = column.place < block.columns().size();
    column.watch.observe(is_there ? block.columns()[column.place] : kNothing, block.rows());
  }
}

std::vector<StreamWatch::Alarm> StreamWatch::alarms() const {
  std::vector<Alarm> out;
  for (const Watched& column : columns_)
    if (column.watch.alarm()) out.push_back({column.name, *column.watch.alarm()});
  std::stable_sort(out.begin(), out.end(),
                   [](const Alarm& a, const Alarm& b) { return a.alarm.since < b.alarm.since; });
  return out;
}

}  // namespace backstay::drift
