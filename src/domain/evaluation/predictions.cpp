#include "domain/evaluation/predictions.hpp"

#include <map>

namespace backstay::evaluation {

const char* to_string(Task task) {
  switch (task) {
    case Task::kClassification: return "classification";
    case Task::kRegression: return "regression";
    case Task::kRanking: return "ranking";
  }
  return "classification";
}

namespace {

template <class T>
void take(const std::vector<T>& from, std::span<const std::uint32_t> rows, std::vector<T>& to) {
  if (from.empty()) return;
  to.reserve(rows.size());
  for (const std::uint32_t row : rows) to.push_back(from[row]);
}

}  // namespace

Predictions select(const Predictions& all, std::span<const std::uint32_t> rows) {
  Predictions part;
  part.task = all.task;
  part.classes = all.classes;
  take(all.truth, rows, part.truth);
  take(all.predicted, rows, part.predicted);
  take(all.complements, rows, part.complements);
  take(all.target, rows, part.target);
  take(all.value, rows, part.value);
  take(all.query, rows, part.query);
  if (all.scores.empty() || all.binary()) {
    take(all.scores, rows, part.scores);
    return part;
  }
  const std::size_t width = all.classes.size();
  for (const std::uint32_t row : rows)
    for (std::size_t k = 0; k < width; ++k) part.scores.push_back(all.scores[row * width + k]);
  return part;
}

std::vector<std::vector<std::uint32_t>> rows_by_value(const Attribute& attribute) {
  std::vector<std::vector<std::uint32_t>> rows(attribute.values.size());
  for (std::size_t i = 0; i < attribute.of_row.size(); ++i)
    rows[attribute.of_row[i]].push_back(static_cast<std::uint32_t>(i));
  return rows;
}

Attribute intersect(std::span<const Attribute> attributes) {
  Attribute all;
  if (attributes.empty()) return all;
  for (const Attribute& attribute : attributes) all.name += (all.name.empty() ? "" : ",") + attribute.name;
  const auto key_of = [&](std::size_t row) {
    std::vector<std::uint32_t> key;
    for (const Attribute& attribute : attributes) key.push_back(attribute.of_row[row]);
    return key;
  };
  const std::size_t rows = attributes[0].of_row.size();
  std::map<std::vector<std::uint32_t>, std::uint32_t> indexes;
  for (std::size_t row = 0; row < rows; ++row) indexes.emplace(key_of(row), 0);
  for (auto& [key, index] : indexes) {
    index = static_cast<std::uint32_t>(all.values.size());
    std::string& text = all.values.emplace_back();
    for (std::size_t i = 0; i < key.size(); ++i) text += (i == 0 ? "" : ",") + attributes[i].values[key[i]];
  }
  all.of_row.reserve(rows);
  for (std::size_t row = 0; row < rows; ++row) all.of_row.push_back(indexes[key_of(row)]);
  return all;
}

}  // namespace backstay::evaluation
