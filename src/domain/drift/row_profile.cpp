#include "domain/drift/row_profile.hpp"

#include <algorithm>

namespace backstay::drift {

namespace {

void add_value(const Value& value, ColumnProfile& column) {
  switch (value.kind) {
    case Value::Kind::kMissing: return;  // named() counts them: a row may end before the column.
    case Value::Kind::kNumber: return column.add_number(value.number, value.integer);
    case Value::Kind::kBoolean: return column.add_boolean(value.number != 0);
    case Value::Kind::kText: return column.add_text(value.text);
    case Value::Kind::kNested: return column.add_nested(value.vector);
  }
}

void watch_value(const Value& value, ColumnWatch& watch) {
  const bool categories = watch.bins().kind() == Bins::Kind::kCategories;
  switch (value.kind) {
    case Value::Kind::kNumber:
      return categories ? watch.observe_category(category_of_number(value.number)) : watch.observe_number(value.number);
    case Value::Kind::kBoolean:
      return categories ? watch.observe_category(category_of_boolean(value.number != 0)) : watch.observe_missing();
    case Value::Kind::kText:
      return categories ? watch.observe_category(category_of_text(value.text)) : watch.observe_missing();
    case Value::Kind::kMissing:
    case Value::Kind::kNested: return watch.observe_missing();
  }
}

}  // namespace

void RowProfile::add(std::span<const Value> row) {
  ++rows_;
  const std::size_t count = std::min(row.size(), max_columns_);
  while (columns_.size() < count) columns_.emplace_back(k_);
  for (std::size_t i = 0; i < count; ++i) {
    add_value(row[i], columns_[i]);
    if (row[i].kind == Value::Kind::kNumber) pairs_.put(i, row[i].number);
  }
  pairs_.end_row();
}

Profile RowProfile::named(const std::vector<std::string>& names) const {
  Profile out;
  out.rows = rows_;
  std::map<std::size_t, std::string> told;
  for (std::size_t i = 0; i < columns_.size() && i < names.size(); ++i) {
    const std::string name = std::string(kept_name(names[i]));
    if (out.find(name) != nullptr) continue;
    out.columns.push_back({name, columns_[i]});
    out.columns.back().column.missing = rows_ - columns_[i].present();
    told.emplace(i, name);
  }
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

void StreamWatch::observe(std::span<const Value> row) {
  for (Watched& column : columns_) {
    if (column.place < row.size()) {
      watch_value(row[column.place], column.watch);
    } else {
      column.watch.observe_missing();
    }
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
