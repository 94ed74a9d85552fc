#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace backstay::search {

struct Token {
  enum class Kind {
    kWord,    ///< Bare: a keyword, a field, a number, a date, a name. `*` may be in it.
    kText,    ///< Quoted; text has the escapes in it still, so that \* and * differ.
    kGroup,   ///< {...} right after a metric's name; text is what is between.
    kSymbol,  ///< ( ) , = != < <= > >=
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;
  std::size_t at = 0;     ///< Character of the filter where it begins, from 1.
  bool adjacent = false;  ///< No white space before it.
};

/// Never empty: the last one is kEnd. Refuses what is too long, not UTF-8, and quotes that do not close.
Result<std::vector<Token>> lex(std::string_view text);

/// Every error of the language: "The filter is not understood at character 15: <why>".
Unexpected not_understood(std::size_t at, const std::string& why, std::string hint);

}  // namespace backstay::search
