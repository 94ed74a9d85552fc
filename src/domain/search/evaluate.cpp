#include "domain/search/evaluate.hpp"

#include <algorithm>
#include <compare>

namespace backstay::search {

namespace {

using Kind = Field::Kind;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool holds(std::partial_ordering order, Comparison comparison) {
  switch (comparison) {
    case Comparison::kEqual:
    case Comparison::kLike: return order == 0;
    case Comparison::kNotEqual: return order != 0;
    case Comparison::kLess: return order < 0;
    case Comparison::kLessOrEqual: return order <= 0;
    case Comparison::kGreater: return order > 0;
    case Comparison::kGreaterOrEqual: return order >= 0;
  }
  return false;
}

bool text_holds(const std::string& text, Comparison comparison, const Text& value) {
  if (comparison == Comparison::kEqual || comparison == Comparison::kLike)
    return matches(value, text, comparison == Comparison::kLike);
  return holds(text <=> value.parts[0], comparison);
}

bool created_holds(Timestamp created, Comparison comparison, const Period& period) {
  const auto order = created < period.begin ? std::partial_ordering::less
                     : created < period.end ? std::partial_ordering::equivalent
                                            : std::partial_ordering::greater;
  return holds(order, comparison);
}

bool version_holds(const registry::SemanticVersion& version, Comparison comparison, const Value& value) {
  if (const auto* other = std::get_if<registry::SemanticVersion>(&value)) return holds(version <=> *other, comparison);
  return text_holds(version.str(), comparison, std::get<Text>(value));
}

bool fact_holds(const Row& row, const Field& field, Comparison comparison, const Value& value) {
  const auto* number = std::get_if<double>(&value);
  const bool by_release =
      field.kind == Kind::kRelease && comparison != Comparison::kEqual && comparison != Comparison::kLike;
  const std::string key = by_release ? release_key_of(field.name) : field.name;
  return std::any_of(row.facts.begin(), row.facts.end(), [&](const Fact& fact) {
    if (fact.key != key) return false;
    if (number != nullptr) return fact.number && holds(*fact.number <=> *number, comparison);
    const Text& text = std::get<Text>(value);
    return text_holds(fact.text, comparison, by_release ? Text{{release_key(text.parts[0])}} : text);
  });
}

/// kNotEqual is the caller's.
bool compare(const Row& row, const Field& field, Comparison comparison, const Value& value, Timestamp now) {
  switch (field.kind) {
    case Kind::kModel: return text_holds(row.ref.model, comparison, std::get<Text>(value));
    case Kind::kVersion: return version_holds(row.ref.version, comparison, value);
    case Kind::kOrdinal: return holds(static_cast<double>(row.ordinal) <=> std::get<double>(value), comparison);
    case Kind::kStage: return text_holds(row.stage, comparison, std::get<Text>(value));
    case Kind::kAlias:
      return std::any_of(row.aliases.begin(), row.aliases.end(), [&](const std::string& alias) {
        return text_holds(alias, comparison, std::get<Text>(value));
      });
    case Kind::kCreated: return created_holds(row.created, comparison, period_of(value, now));
    case Kind::kRegisteredBy: return text_holds(row.registered_by, comparison, std::get<Text>(value));
    case Kind::kComplete: return row.complete == std::get<bool>(value);
    case Kind::kIdentity: return text_holds(row.identity.hex(), comparison, std::get<Text>(value));
    case Kind::kChangelog: return false;
    case Kind::kText:
    case Kind::kScalar:
    case Kind::kRelease: return fact_holds(row, field, comparison, value);
    case Kind::kMetric: {
      const auto found = row.metrics.find({field.name, field.group});
      return found != row.metrics.end() && holds(found->second <=> std::get<double>(value), comparison);
    }
    case Kind::kVerdict: {
      const auto found = row.verdicts.find(field.name);
      return found != row.verdicts.end() && text_holds(found->second, comparison, std::get<Text>(value));
    }
  }
  return false;
}

bool has(const Row& row, const Field& field) {
  if (field.kind == Kind::kAlias) return !row.aliases.empty();
  if (field.kind == Kind::kMetric) return row.metrics.contains({field.name, field.group});
  if (field.kind == Kind::kVerdict) return row.verdicts.contains(field.name);
  return std::any_of(row.facts.begin(), row.facts.end(), [&](const Fact& fact) { return fact.key == field.name; });
}

bool is_word(const Word& word, const std::string& text) {
  return word.prefix ? text.starts_with(word.text) : text == word.text;
}

bool words_hold(const Node& node, const Row& row) {
  const std::vector<std::string> text = words_of(row.changelog);
  if (node.phrase)
    return std::search(text.begin(), text.end(), node.words.begin(), node.words.end(),
                       [](const std::string& t, const Word& w) { return is_word(w, t); }) != text.end();
  return std::all_of(node.words.begin(), node.words.end(), [&](const Word& word) {
    return std::any_of(text.begin(), text.end(), [&](const std::string& t) { return is_word(word, t); });
  });
}

}  // namespace

bool matches(const Text& pattern, std::string_view given, bool any_case) {
  const std::string text = any_case ? lower(given) : std::string(given);
  std::vector<std::string> parts = pattern.parts;
  if (any_case) {
    for (std::string& part : parts) part = lower(part);
  }
  if (parts.size() == 1) return text == parts[0];
  if (!text.starts_with(parts.front())) return false;
  std::size_t at = parts.front().size();
  for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
    const std::size_t found = text.find(parts[i], at);
    if (found == std::string::npos) return false;
    at = found + parts[i].size();
  }
  return text.size() >= at + parts.back().size() && text.ends_with(parts.back());
}

Period period_of(const Value& value, Timestamp now) {
  if (const auto* period = std::get_if<Period>(&value)) return *period;
  const Timestamp at = now - std::get<Ago>(value).before;
  return {at, at + microseconds(1)};
}

bool matches(const Node& node, const Row& row, Timestamp now) {
  const auto child = [&](const Node& inner) { return matches(inner, row, now); };
  switch (node.kind) {
    case Node::Kind::kAll: return true;
    case Node::Kind::kAnd: return std::all_of(node.children.begin(), node.children.end(), child);
    case Node::Kind::kOr: return std::any_of(node.children.begin(), node.children.end(), child);
    case Node::Kind::kNot: return !child(node.children[0]);
    case Node::Kind::kCompare:
      if (node.comparison == Comparison::kNotEqual)
        return !compare(row, node.field, Comparison::kEqual, node.values[0], now);
      return compare(row, node.field, node.comparison, node.values[0], now);
    case Node::Kind::kIn:
      return std::any_of(node.values.begin(), node.values.end(),
                         [&](const Value& value) { return compare(row, node.field, Comparison::kEqual, value, now); });
    case Node::Kind::kHas: return has(row, node.field);
    case Node::Kind::kWords: return words_hold(node, row);
  }
  return false;
}

}  // namespace backstay::search
