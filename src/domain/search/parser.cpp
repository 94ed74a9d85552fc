#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "domain/search/fields.hpp"
#include "domain/search/query.hpp"

namespace backstay::search {

namespace {

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || byte >= 0x80;
}

/// Recursive descent: or := and (OR and)*; and := unary (AND unary)*; unary := NOT unary | ( or ) | comparison.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Query> run() {
    Query query;
    if (now().kind != Token::Kind::kEnd && !is_keyword("ORDER")) {
      TRY(query.where, either());
    }
    if (take_keyword("ORDER")) {
      TRY(query.order, order());
    }
    if (now().kind != Token::Kind::kEnd)
      return not_understood(now().at, fmt::format("'{}' is not expected here.", now().text),
                            "Join conditions with AND or OR; ORDER BY FIELD ends the filter.");
    return query;
  }

 private:
  const Token& now() const { return tokens_[at_]; }

  bool is_keyword(std::string_view word) const {
    const Token& token = now();
    return token.kind == Token::Kind::kWord &&
           std::equal(word.begin(), word.end(), token.text.begin(), token.text.end(),
                      [](char a, char b) { return a == std::toupper(static_cast<unsigned char>(b)); });
  }
  bool take_keyword(std::string_view word) {
    if (!is_keyword(word)) return false;
    ++at_;
    return true;
  }
  bool take_symbol(std::string_view symbol) {
    if (now().kind != Token::Kind::kSymbol || now().text != symbol) return false;
    ++at_;
    return true;
  }
  Result<void> expect_symbol(std::string_view symbol, const char* hint) {
    if (take_symbol(symbol)) return {};
    return not_understood(now().at, fmt::format("'{}' is missing.", symbol), hint);
  }
  Result<void> expect_keyword(std::string_view word, const char* hint) {
    if (take_keyword(word)) return {};
    return not_understood(now().at, fmt::format("{} is missing.", word), hint);
  }

  Result<Node> either() { return joined(Node::Kind::kOr, "OR", &Parser::both); }
  Result<Node> both() { return joined(Node::Kind::kAnd, "AND", &Parser::unary); }

  Result<Node> joined(Node::Kind kind, std::string_view word, Result<Node> (Parser::*part)()) {
    TRY(Node first, (this->*part)());
    if (!is_keyword(word)) return first;
    Node node;
    node.kind = kind;
    node.children.push_back(std::move(first));
    while (take_keyword(word)) {
      TRY(Node next, (this->*part)());
      node.children.push_back(std::move(next));
    }
    return node;
  }

  Result<void> check_depth(int depth) const {
    if (depth < kMaxDepth) return {};
    return not_understood(now().at, fmt::format("parentheses and NOT are nested more than {} deep.", kMaxDepth),
                          "Write it flatter.");
  }

  Result<Node> unary() {
    TRY_DO(check_depth(depth_));
    if (take_keyword("NOT")) {
      ++depth_;
      TRY(Node inner, unary());
      --depth_;
      return negated(std::move(inner));
    }
    if (take_symbol("(")) {
      ++depth_;
      TRY(Node inner, either());
      --depth_;
      TRY_DO(expect_symbol(")", "Close each parenthesis."));
      return inner;
    }
    return comparison();
  }

  static Node negated(Node inner) {
    Node node;
    node.kind = Node::Kind::kNot;
    node.children.push_back(std::move(inner));
    return node;
  }

  Result<Field> field() {
    const Token name = now();
    if (name.kind != Token::Kind::kWord)
      return not_understood(name.at, "a field is missing.",
                            fmt::format("Fields are: {}. Metrics are written accuracy or metrics.accuracy.",
                                        fmt::join(field_names(), ", ")));
    ++at_;
    std::optional<std::string> part;
    if (now().kind == Token::Kind::kText && now().adjacent && name.text.ends_with('.')) {
      TRY(const Text quoted, text_of(now()));
      if (!quoted.exact())
        return not_understood(now().at, "a star can't stand in a field's name.", "Write \\* for the character itself.");
      part = quoted.parts[0];
      ++at_;
    }
    TRY(Field found, field_named(name.text, part, name.at));
    if (now().kind == Token::Kind::kGroup) {
      if (found.kind != Field::Kind::kMetric || !now().adjacent)
        return not_understood(now().at, "a group in braces can only stand right after a metric.",
                              "Write it like metrics.accuracy{age<50}.");
      TRY(const Text group, text_of(now()));
      found.group = group.parts[0];
      ++at_;
    }
    return found;
  }

  Result<void> count_term() {
    if (++terms_ <= kMaxTerms) return {};
    return not_understood(now().at, fmt::format("there are more than {} comparisons and values.", kMaxTerms),
                          "Split it into several searches.");
  }

  Result<Node> comparison() {
    Node node;
    TRY(node.field, field());
    TRY_DO(count_term());
    if (take_keyword("IS")) {
      const bool absent = !take_keyword("NOT");
      if (absent) TRY_DO(check_depth(depth_ + 1));
      TRY_DO(expect_keyword("NULL", "Write FIELD IS NULL or FIELD IS NOT NULL."));
      return presence(std::move(node), absent);
    }
    const bool negative = take_keyword("NOT");
    if (negative) TRY_DO(check_depth(depth_ + 1));  // It is the same as NOT before it.
    Result<Node> inner = test(std::move(node), negative);
    if (!inner || !negative) return inner;
    return negated(*std::move(inner));
  }

  Result<Node> presence(Node node, bool absent) {
    switch (node.field.kind) {
      case Field::Kind::kAlias:
      case Field::Kind::kText:
      case Field::Kind::kScalar:
      case Field::Kind::kRelease:
      case Field::Kind::kMetric:
      case Field::Kind::kVerdict: break;
      default:
        return not_understood(
            tokens_[at_ - 1].at, fmt::format("every version has {}.", print(node.field)),
            "NULL is for what some versions have not: aliases, metrics, verdicts, and what a manifest may name.");
    }
    node.kind = Node::Kind::kHas;
    return absent ? negated(std::move(node)) : std::move(node);
  }

  /// What stands after a field: the operator and its values.
  Result<Node> test(Node node, bool negative) {
    if (take_keyword("IN")) return in_list(std::move(node));
    if (is_keyword("CONTAINS") || is_keyword("MATCH")) return contents(std::move(node));
    if (node.field.kind == Field::Kind::kChangelog)
      return not_understood(now().at, "a changelog is searched by words.",
                            "Write changelog CONTAINS \"words in any order\" or changelog MATCH \"a phrase\".");
    constexpr std::pair<const char*, Comparison> kSymbols[] = {
        {"=", Comparison::kEqual},        {"!=", Comparison::kNotEqual}, {"<", Comparison::kLess},
        {"<=", Comparison::kLessOrEqual}, {">", Comparison::kGreater},   {">=", Comparison::kGreaterOrEqual}};
    bool found = take_keyword("LIKE");
    if (found) node.comparison = Comparison::kLike;
    for (const auto& [symbol, comparison] : kSymbols) {
      if (found || negative || !take_symbol(symbol)) continue;
      node.comparison = comparison;
      found = true;
    }
    if (!found)
      return not_understood(now().at,
                            negative ? "IN, LIKE, CONTAINS or MATCH is missing after NOT." : "a comparison is missing.",
                            "Use =, !=, <, <=, >, >=, IN, LIKE, CONTAINS, MATCH or IS NULL.");
    node.kind = Node::Kind::kCompare;
    TRY(Value value, value_of(node.field, node.comparison, now()));
    node.values.push_back(std::move(value));
    ++at_;
    return node;
  }

  Result<Node> in_list(Node node) {
    if (node.field.kind == Field::Kind::kChangelog)
      return not_understood(now().at, "a changelog is searched by words.", "Use CONTAINS or MATCH.");
    TRY_DO(expect_symbol("(", "Write FIELD IN (VALUE, VALUE)."));
    node.kind = Node::Kind::kIn;
    do {
      TRY_DO(count_term());
      TRY(Value value, value_of(node.field, Comparison::kEqual, now()));
      node.values.push_back(std::move(value));
      ++at_;
    } while (take_symbol(","));
    TRY_DO(expect_symbol(")", "Write FIELD IN (VALUE, VALUE)."));
    return node;
  }

  /// CONTAINS and MATCH: words of the changelog; a part of any other text.
  Result<Node> contents(Node node) {
    const bool phrase = is_keyword("MATCH");
    ++at_;
    if (node.field.kind == Field::Kind::kChangelog) return words(std::move(node), phrase);
    const bool text = node.field.kind == Field::Kind::kModel || node.field.kind == Field::Kind::kAlias ||
                      node.field.kind == Field::Kind::kRegisteredBy || node.field.kind == Field::Kind::kText ||
                      node.field.kind == Field::Kind::kScalar || node.field.kind == Field::Kind::kRelease;
    if (phrase || !text)
      return not_understood(tokens_[at_ - 1].at,
                            fmt::format("{} has no words to {}.", print(node.field), phrase ? "match" : "contain"),
                            "MATCH is for changelog; CONTAINS for changelog and for texts.");
    const Token& token = now();
    if (token.kind != Token::Kind::kWord && token.kind != Token::Kind::kText)
      return not_understood(token.at, "a text is missing.", "Write it like data.slice CONTAINS \"zip-100\".");
    TRY(Text part, text_of(token));
    part.parts.insert(part.parts.begin(), "");
    part.parts.emplace_back();
    if (part.parts.size() > kMaxStars + 1)
      return not_understood(token.at, "there are too many stars in it.", "Leave some out.");
    ++at_;
    node.kind = Node::Kind::kCompare;
    node.values.emplace_back(std::move(part));
    return node;
  }

  Result<Node> words(Node node, bool phrase) {
    const Token& token = now();
    if (token.kind != Token::Kind::kWord && token.kind != Token::Kind::kText)
      return not_understood(token.at, "the words are missing.", "Write it like changelog CONTAINS \"site c\".");
    TRY(const Text text, text_of(token));
    node.kind = Node::Kind::kWords;
    node.phrase = phrase;
    for (std::size_t i = 0; i < text.parts.size(); ++i) {
      const std::string& part = text.parts[i];
      for (std::string& word : words_of(part)) node.words.push_back({std::move(word), false});
      if (i + 1 == text.parts.size()) break;
      const std::string& next = text.parts[i + 1];
      const bool ends_word =
          !part.empty() && is_word_byte(part.back()) && (next.empty() || !is_word_byte(next.front()));
      if (!ends_word || (phrase && !words_of(next).empty()))
        return not_understood(
            token.at, "a star stands where it does not end a word.",
            phrase ? "In a phrase it can only end the last word." : "Write it like \"sensi*\": words that begin so.");
      node.words.back().prefix = true;
    }
    if (node.words.empty()) return not_understood(token.at, "there is no word in it.", "Name at least one word.");
    for (std::size_t i = 1; i < node.words.size(); ++i) TRY_DO(count_term());
    ++at_;
    return node;
  }

  Result<Order> order() {
    TRY_DO(expect_keyword("BY", "Write ORDER BY FIELD, or ORDER BY FIELD DESC."));
    const std::size_t at = now().at;
    Order order;
    TRY(order.by, field());
    const Field::Kind kind = order.by.kind;
    if (kind != Field::Kind::kModel && kind != Field::Kind::kVersion && kind != Field::Kind::kOrdinal &&
        kind != Field::Kind::kCreated && kind != Field::Kind::kMetric)
      return not_understood(at, fmt::format("versions can't be ordered by {}.", print(order.by)),
                            "Order by created, model, version, ordinal or a metric.");
    order.descending = take_keyword("DESC");
    if (!order.descending) take_keyword("ASC");
    return order;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t terms_ = 0;
  int depth_ = 0;
};

const char* symbol_of(Comparison comparison) {
  switch (comparison) {
    case Comparison::kEqual: return "=";
    case Comparison::kNotEqual: return "!=";
    case Comparison::kLess: return "<";
    case Comparison::kLessOrEqual: return "<=";
    case Comparison::kGreater: return ">";
    case Comparison::kGreaterOrEqual: return ">=";
    case Comparison::kLike: return "LIKE";
  }
  return "=";
}

std::string print_words(const Node& node) {
  std::string text;
  for (const Word& word : node.words) text += (text.empty() ? "" : " ") + word.text + (word.prefix ? "*" : "");
  return fmt::format("changelog {} \"{}\"", node.phrase ? "MATCH" : "CONTAINS", text);
}

std::string print(const Node& node) {
  const auto inner = [](const Node& child) {
    const bool joins = child.kind == Node::Kind::kAnd || child.kind == Node::Kind::kOr;
    return joins ? "(" + print(child) + ")" : print(child);
  };
  std::vector<std::string> parts;
  switch (node.kind) {
    case Node::Kind::kAll: return "";
    case Node::Kind::kAnd:
    case Node::Kind::kOr:
      for (const Node& child : node.children) parts.push_back(inner(child));
      return fmt::format("{}", fmt::join(parts, node.kind == Node::Kind::kAnd ? " AND " : " OR "));
    case Node::Kind::kNot: return "NOT " + inner(node.children[0]);
    case Node::Kind::kCompare:
      return fmt::format("{} {} {}", print(node.field), symbol_of(node.comparison), print(node.values[0]));
    case Node::Kind::kIn:
      for (const Value& value : node.values) parts.push_back(print(value));
      return fmt::format("{} IN ({})", print(node.field), fmt::join(parts, ", "));
    case Node::Kind::kHas: return print(node.field) + " IS NOT NULL";
    case Node::Kind::kWords: return print_words(node);
  }
  return "";
}

}  // namespace

Result<Query> parse(std::string_view text) {
  TRY(std::vector<Token> tokens, lex(text));
  return Parser(std::move(tokens)).run();
}

std::string print(const Query& query) {
  const std::string where = print(query.where);
  return fmt::format("{}{}ORDER BY {} {}", where, where.empty() ? "" : " ", print(query.order.by),
                     query.order.descending ? "DESC" : "ASC");
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : text) {
    if (!is_word_byte(c)) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    words.back() += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words;
}

}  // namespace backstay::search
