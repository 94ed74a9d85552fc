#include "cli/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "cli/terminal.hpp"

namespace backstay::cli {

namespace {

constexpr milliseconds kBetweenLines{100};
constexpr double kAverageSeconds = 3;
constexpr std::size_t kBarColumns = 20;
constexpr double kLongestLeft = 99 * 3600;

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Cut at the front, where paths say least, and never inside of a UTF-8 character.
std::string fitted(const std::string& text, std::size_t columns) {
  if (text.size() <= columns) return text;
  if (columns < 4) return "";
  std::size_t begin = text.size() - (columns - 3);
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) ++begin;
  return "..." + text.substr(begin);
}

/// A name may come from outside: what would move the cursor is not printed.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

class TerminalLine {
 public:
  explicit TerminalLine(Unit unit) : meter_(unit, std::chrono::steady_clock::now()) {}
  ~TerminalLine() { std::fputs("\r\033[K", stderr); }
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;
  void draw(const services::Progress& state) {
    const std::string text = meter_.line(state, std::chrono::steady_clock::now(), terminal_columns() - 1);
    if (!text.empty()) fmt::print(stderr, "\r\033[K{}", text);
  }

 private:
  ProgressMeter meter_;
};

}  // namespace

std::string clock_text(seconds time) {
  const auto all = time.count();
  if (all < 60) return fmt::format("{}s", all);
  if (all < 3600) return fmt::format("{}:{:02}", all / 60, all % 60);
  return fmt::format("{}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
}

void ProgressMeter::measure(std::uint64_t done, Monotonic now) {
  if (done < last_done_) {  // Another thing is counted from here on.
    rate_ = 0;
    last_ = now;
    last_done_ = done;
    return;
  }
  const double elapsed = std::chrono::duration<double>(now - last_).count();
  if (elapsed <= 0) return;
  const double rate = static_cast<double>(done - last_done_) / elapsed;
  const double weight = rate_ == 0 ? 1 : 1 - std::exp(-elapsed / kAverageSeconds);
  rate_ += weight * (rate - rate_);
  last_ = now;
  last_done_ = done;
}

std::string ProgressMeter::line(const services::Progress& state, Monotonic now, std::size_t columns) {
  const bool complete = state.done_bytes >= state.total_bytes;
  if (drawn_ && now - last_ < kBetweenLines && !complete) return "";
  drawn_ = true;
  measure(state.done_bytes, now);
  const double share =
      state.total_bytes == 0
          ? 1
          : std::min(1.0, static_cast<double>(state.done_bytes) / static_cast<double>(state.total_bytes));
  const auto full = static_cast<std::size_t>(share * kBarColumns);
  std::string text = fmt::format("[{}{}] {:3.0f}%", std::string(full, '#'), std::string(kBarColumns - full, '.'),
                                 std::floor(share * 100));
  if (unit_ == Unit::kBytes) {
    text += fmt::format("  {} of {}", human_bytes(state.done_bytes), human_bytes(state.total_bytes));
    if (rate_ > 0) text += fmt::format("  {}/s", human_bytes(static_cast<std::uint64_t>(rate_)));
  } else {
    text += fmt::format("  {} of {}", state.done_bytes, state.total_bytes);
  }
  if (rate_ > 0 && !complete) {
    const double left = std::min(kLongestLeft, static_cast<double>(state.total_bytes - state.done_bytes) / rate_);
    text += fmt::format("  {} left", clock_text(seconds(static_cast<std::int64_t>(std::ceil(left)))));
  } else if (complete) {
    text += fmt::format("  in {}", clock_text(std::chrono::ceil<seconds>(now - begun_)));
  }
  if (text.size() + 2 < columns) text += "  " + fitted(printable(state.name), columns - text.size() - 2);
  return text.substr(0, columns);
}

services::OnProgress progress_on_terminal(Unit unit) {
  if (!is_terminal(STDERR_FILENO)) return {};
  return [line = std::make_shared<TerminalLine>(unit)](const services::Progress& state) { line->draw(state); };
}

}  // namespace backstay::cli
