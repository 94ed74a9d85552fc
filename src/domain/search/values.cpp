#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/text.hpp"
#include "domain/search/facts.hpp"
#include "domain/search/fields.hpp"

namespace backstay::search {

namespace {

using Kind = Field::Kind;

constexpr std::chrono::hours kDay{24};
constexpr milliseconds kLongest = std::chrono::hours(24 * 36500);

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

Unexpected wrong_value(const Field& field, const Token& token, std::string_view wanted, std::string hint) {
  return not_understood(token.at, fmt::format("{} is compared with {}, not '{}'.", print(field), wanted, token.text),
                        std::move(hint));
}

/// One of the words a field can have, whatever its case.
Result<Value> choice(const Field& field, const Token& token, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (lower(word) == lower(token.text)) return Value(Text{{word}});
  }
  const auto close = nearest(token.text, words);
  return wrong_value(field, token, fmt::format("{}", fmt::join(words, ", ")),
                     close ? fmt::format("Did you mean {}?", *close) : "Choose one of them.");
}

/// "90s", "50ms": a short text of numbers and units.
std::optional<milliseconds> duration_of(const std::string& text) {
  constexpr std::size_t kMaxDuration = 20;
  if (text.empty() || text.size() > kMaxDuration) return {};
  const auto parsed = parse_duration(text);
  if (!parsed || *parsed > kLongest) return {};
  return *parsed;
}

Result<Value> number(const Field& field, const Token& token) {
  if (token.kind == Token::Kind::kWord) {
    if (const auto value = number_of(token.text)) return Value(*value);
    const auto duration = duration_of(token.text);
    if (duration && field.kind == Kind::kMetric) return Value(static_cast<double>(duration->count()) / 1000.0);
  }
  if (const auto instead = field.kind == Kind::kMetric ? meant_instead(field.name) : std::nullopt)
    return wrong_value(field, token, "a number", *instead);
  const auto close = nearest(field.name, field_names());
  return wrong_value(field, token, "a number",
                     field.kind == Kind::kMetric && close ? fmt::format("Did you mean the field '{}'?", *close)
                                                          : "Write it like 0.95, or for a time in seconds 50ms.");
}

Result<Value> time(const Field& field, const Token& token) {
  const std::string& text = token.text;
  if (text.starts_with('-')) {
    if (const auto before = duration_of(text.substr(1))) return Value(Ago{*before});
  }
  const bool day = text.size() == 10;
  const auto begin = parse_rfc3339(day ? text + "T00:00:00Z" : text);
  // strptime takes the 31st of February.
  if (begin && to_rfc3339(*begin).substr(0, day ? 10 : 19) == text.substr(0, day ? 10 : 19))
    return Value(Period{*begin, *begin + (day ? microseconds(kDay) : microseconds(1))});
  return wrong_value(field, token, "a date",
                     "Write it like 2025-08-01, \"2025-08-01T10:00:00Z\", or -7d for seven days ago.");
}

Result<Value> identity(const Field& field, const Token& token) {
  TRY(Text text, text_of(token));
  const std::string& digits = text.parts[0];
  const bool prefix = text.parts.size() == 2 && text.parts[1].empty();
  const bool hex = std::all_of(digits.begin(), digits.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (hex && (text.exact() ? digits.size() == 64 : prefix && digits.size() <= 64)) return Value(std::move(text));
  return wrong_value(field, token, "64 hex digits, or the first of them and a star",
                     "Write it like identity = 9f86d0*; backstay list shows the digits.");
}

Result<Value> version(const Token& token) {
  TRY(Text text, text_of(token));
  if (!text.exact()) return Value(std::move(text));
  auto parsed = registry::SemanticVersion::parse(text.parts[0]);
  if (parsed) return Value(*std::move(parsed));
  return not_understood(token.at, parsed.error().message, parsed.error().hint);
}

bool orders(Comparison comparison) {
  return comparison != Comparison::kEqual && comparison != Comparison::kNotEqual && comparison != Comparison::kLike;
}

Result<void> check_comparison(const Field& field, Comparison comparison, std::size_t at) {
  const bool only_equal = field.kind == Kind::kStage || field.kind == Kind::kComplete ||
                          field.kind == Kind::kIdentity || field.kind == Kind::kVerdict;
  if (only_equal && (orders(comparison) || comparison == Comparison::kLike))
    return not_understood(at, fmt::format("{} can only be equal or not.", print(field)), "Use =, != or IN.");
  const bool text_like = field.kind != Kind::kOrdinal && field.kind != Kind::kCreated && field.kind != Kind::kMetric;
  if (comparison == Comparison::kLike && !text_like)
    return not_understood(at, fmt::format("{} is no text, which LIKE compares.", print(field)),
                          "Use =, !=, <, <=, > or >=.");
  return {};
}

Result<Value> any_value(const Field& field, const Token& token) {
  switch (field.kind) {
    case Kind::kOrdinal:
    case Kind::kMetric: return number(field, token);
    case Kind::kStage: return choice(field, token, {"Staging", "Production", "Archived"});
    case Kind::kVerdict: return choice(field, token, {"PASS", "FAIL", "INSUFFICIENT"});
    case Kind::kCreated: return time(field, token);
    case Kind::kIdentity: return identity(field, token);
    case Kind::kVersion: return version(token);
    case Kind::kComplete: {
      TRY(const Value word, choice(field, token, {"true", "false"}));
      return Value(std::get<Text>(word).parts[0] == "true");
    }
    case Kind::kScalar:
      if (token.kind == Token::Kind::kWord) {
        if (const auto value = number_of(token.text)) return Value(*value);
      }
      break;
    default: break;
  }
  TRY(Text text, text_of(token));
  return Value(std::move(text));
}

}  // namespace

Result<Text> text_of(const Token& token) {
  Text text{{""}};
  for (std::size_t i = 0; i < token.text.size(); ++i) {
    const bool escape = token.kind != Token::Kind::kWord && token.text[i] == '\\';
    if (escape) ++i;
    if (token.text[i] == '*' && !escape && token.kind != Token::Kind::kGroup) {
      text.parts.emplace_back();
    } else {
      text.parts.back() += token.text[i];
    }
  }
  if (text.parts.size() <= kMaxStars + 1) return text;
  return not_understood(token.at, fmt::format("a text has more than {} stars.", kMaxStars),
                        "Leave some out, or write \\* where a star itself is meant.");
}

Result<Value> value_of(const Field& field, Comparison comparison, const Token& token) {
  if (token.kind != Token::Kind::kWord && token.kind != Token::Kind::kText)
    return not_understood(token.at, "a value is missing.",
                          "Write FIELD = VALUE, like stage = Production or data.slice = \"2025-08/*\".");
  TRY_DO(check_comparison(field, comparison, token.at));
  TRY(Value value, any_value(field, token));
  if (comparison == Comparison::kLike && std::holds_alternative<double>(value)) {
    TRY(Text text, text_of(token));
    value = std::move(text);
  }
  if (comparison == Comparison::kLike && std::holds_alternative<registry::SemanticVersion>(value))
    value = Text{{std::get<registry::SemanticVersion>(value).str()}};
  const Text* text = std::get_if<Text>(&value);
  if (text != nullptr && !text->exact() && orders(comparison))
    return not_understood(token.at, "a text with a star can't be compared by order.",
                          "Use = or != with a star; write \\* in quotes where a star itself is meant.");
  return value;
}

std::string print(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* ago = std::get_if<Ago>(&value)) return "-" + to_string(ago->before);
  if (const auto* version = std::get_if<registry::SemanticVersion>(&value)) return version->str();
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* period = std::get_if<Period>(&value)) {
    const std::string begin = to_rfc3339(period->begin);
    return period->end - period->begin == kDay ? begin.substr(0, 10) : "\"" + begin + "\"";
  }
  std::string out;
  for (const std::string& part : std::get<Text>(value).parts) out += (out.empty() ? "\"" : "*") + escaped(part, '"');
  return out + "\"";
}

}  // namespace backstay::search
