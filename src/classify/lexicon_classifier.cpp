#include "classify/lexicon_classifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace backstay::classify {

namespace {

/// Bytes of other scripts belong to words.
bool is_word(unsigned char c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The next word from `at` on, in lower case; empty: there is none.
std::string next_word(std::string_view text, std::size_t& at) {
  while (at < text.size() && !is_word(static_cast<unsigned char>(text[at]))) ++at;
  std::string out;
  while (at < text.size() && is_word(static_cast<unsigned char>(text[at]))) out.push_back(lower(text[at++]));
  return out;
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  return line;
}

}  // namespace

Result<LexiconClassifier> LexiconClassifier::from_terms(const std::vector<std::string>& terms) {
  LexiconClassifier out;
  for (const std::string& term : terms) {
    const std::string_view line = trimmed(term);
    if (line.empty() || line.front() == '#') continue;
    std::string phrase;
    std::size_t words = 0;
    std::size_t at = 0;
    for (std::string word = next_word(line, at); !word.empty(); word = next_word(line, at), ++words)
      phrase += (phrase.empty() ? "" : " ") + word;
    if (words == 0 || words > kMostWords)
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no term of a lexicon.", line.substr(0, 80)),
                        fmt::format("Write words, at most {} of them.", kMostWords));
    out.longest_ = std::max(out.longest_, words);
    out.phrases_.insert(std::move(phrase));
  }
  if (out.phrases_.empty() || out.phrases_.size() > kMostTerms)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("The lexicon has {} terms; from 1 to {} are fine.", out.phrases_.size(), kMostTerms),
                      "Write one word or phrase a line.");
  return out;
}

Result<LexiconClassifier> LexiconClassifier::from_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return from_terms(lines);
}

Result<double> LexiconClassifier::judge(std::string_view text) {
  std::deque<std::string> last;  // Words up to here, as many as the longest phrase has.
  std::size_t at = 0;
  for (std::string word = next_word(text, at); !word.empty(); word = next_word(text, at)) {
    last.push_front(std::move(word));
    if (last.size() > longest_) last.pop_back();
    std::string phrase;
    for (const std::string& before : last) {
      phrase = phrase.empty() ? before : before + " " + phrase;
      if (phrases_.contains(phrase)) return 1.0;
    }
  }
  return 0.0;
}

}  // namespace backstay::classify
