#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/digest.hpp"
#include "sim/timeline.hpp"

namespace backstay::sim {

/// What happened, a line each, for people; and its digest, to tell whether two runs were the same.
class Trace {
 public:
  Trace(const Timeline& timeline, bool keep) : timeline_(timeline), keep_(keep) {}

  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    const std::string text = fmt::format("{:>11.6f}s  {}\n", static_cast<double>(timeline_.elapsed().count()) / 1e6,
                                         fmt::format(format, std::forward<Args>(args)...));
    hash_.update(text);
    if (keep_) text_ += text;
  }
  const std::string& text() const { return text_; }
  /// Ends the trace.
  std::string finish() { return hash_.finish().hex(); }

 private:
  const Timeline& timeline_;
  bool keep_;
  std::string text_;
  Sha256 hash_;
};

}  // namespace backstay::sim
