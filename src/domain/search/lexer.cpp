#include "domain/search/lexer.hpp"

#include <fmt/format.h>

#include <cstring>

#include "base/text.hpp"
#include "domain/search/query.hpp"

namespace backstay::search {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || byte >= 0x80 ||
         (c != '\0' && std::strchr("_.-+@/:*", c) != nullptr);
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    if (text_.size() > kMaxFilterBytes)
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("The filter is longer than {} bytes.", kMaxFilterBytes),
                        "Split it into several searches.");
    if (!is_utf8(text_))
      return Unexpected(ErrorCode::kInvalidArgument, "The filter is not valid UTF-8.", "Write it in UTF-8.");
    std::vector<Token> tokens;
    while (true) {
      const bool spaced = skip_space();
      TRY(Token token, next());
      token.adjacent = !spaced && !tokens.empty();
      tokens.push_back(std::move(token));
      if (tokens.back().kind == Token::Kind::kEnd) return tokens;
    }
  }

 private:
  bool skip_space() {
    const std::size_t before = at_;
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    return at_ > before;
  }

  std::size_t character(std::size_t byte) const {
    std::size_t count = 1;
    for (std::size_t i = 0; i < byte; ++i) count += (static_cast<unsigned char>(text_[i]) & 0xc0) != 0x80 ? 1 : 0;
    return count;
  }

  Result<Token> next() {
    const std::size_t start = at_;
    if (at_ == text_.size()) return Token{Token::Kind::kEnd, "", character(start), false};
    const char c = text_[at_];
    if (c == '"' || c == '\'') return enclosed(Token::Kind::kText, c);
    if (c == '{') return enclosed(Token::Kind::kGroup, '}');
    if (is_word_byte(c)) {
      while (at_ < text_.size() && is_word_byte(text_[at_])) ++at_;
      return checked({Token::Kind::kWord, std::string(text_.substr(start, at_ - start)), character(start), false});
    }
    for (const std::string_view symbol : {"!=", "<>", "<=", ">=", "==", "=", "<", ">", "(", ")", ","}) {
      if (text_.substr(at_).starts_with(symbol)) {
        at_ += symbol.size();
        const std::string_view usual = symbol == "<>" ? "!=" : symbol == "==" ? "=" : symbol;
        return Token{Token::Kind::kSymbol, std::string(usual), character(start), false};
      }
    }
    const bool shown = static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
    return not_understood(character(start),
                          shown ? fmt::format("'{}' has no meaning here.", c) : "there is a control character.",
                          "Put texts into double quotes, like data.slice = \"2025-08/zip-100*\".");
  }

  /// From the opening character at at_ to the closing one; a backslash makes the next character part of the text.
  Result<Token> enclosed(Token::Kind kind, char close) {
    const std::size_t start = at_++;
    std::string text;
    std::size_t escapes = 0;
    for (; at_ < text_.size() && text_[at_] != close; ++at_) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte < 0x20 || byte == 0x7f)
        return not_understood(character(at_), "a text holds a control character.",
                              "Leave it out, or put * in its place.");
      if (text_[at_] == '\\') {
        if (at_ + 1 == text_.size() || text_[at_ + 1] == '\0' || std::strchr("\\\"'*}", text_[at_ + 1]) == nullptr)
          return not_understood(character(at_), "a backslash stands before something it has no meaning for.",
                                R"(Write \\ for a backslash; \" \' \* and \} are the others.)");
        text += text_[at_++];
        ++escapes;
      }
      text += text_[at_];
    }
    if (at_ == text_.size())
      return not_understood(character(start), fmt::format("the {} does not close.", close == '}' ? "{" : "quote"),
                            fmt::format("Close it with {}.", close));
    ++at_;
    return checked({kind, std::move(text), character(start), false}, escapes);
  }

  static Result<Token> checked(Token token, std::size_t escapes = 0) {
    if (token.text.size() - escapes <= kMaxLiteralBytes) return token;
    return not_understood(token.at, fmt::format("a text is longer than {} bytes.", kMaxLiteralBytes),
                          "Name its beginning and put * for the rest.");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<Token>> lex(std::string_view text) {
  return Lexer(text).run();
}

Unexpected not_understood(std::size_t at, const std::string& why, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument,
                    fmt::format("The filter is not understood at character {}: {}", at, why), std::move(hint));
}

}  // namespace backstay::search
