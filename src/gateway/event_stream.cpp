#include "gateway/event_stream.hpp"

namespace backstay::gateway {

namespace {
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kData = "data";
}  // namespace

bool EventStreamParser::next(std::string_view& bytes) {
  if (ended_) data_.clear();
  ended_ = false;
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      keep(bytes, line_);
      bytes = {};
      return false;
    }
    std::string_view line = bytes.substr(0, end);
    if (!line_.empty() || line.size() > most_bytes_) {
      keep(line, line_);
      line = line_;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    ended_ = take_line(line);
    line_.clear();
    if (ended_) return true;
  }
  return false;
}

// What is too long is kept up to a byte more than is allowed: it is no empty line.
void EventStreamParser::keep(std::string_view part, std::string& in) {
  const std::size_t room = most_bytes_ + 1 - in.size();
  in.append(part.substr(0, room));
  too_long_ |= in.size() > most_bytes_;
}

// True: an event has ended.
bool EventStreamParser::take_line(std::string_view line) {
  if (first_line_ && line.substr(0, kByteOrderMark.size()) == kByteOrderMark) line.remove_prefix(kByteOrderMark.size());
  first_line_ = false;
  if (line.empty()) {
    const bool whole = has_data_ && !too_long_;
    if (too_long_) ++dropped_;
    if (!whole) data_.clear();
    has_data_ = too_long_ = false;
    return whole;
  }
  if (line.substr(0, kData.size()) != kData) return false;
  line.remove_prefix(kData.size());
  if (!line.empty() && line.front() != ':') return false;  // Another field, whose name begins so.
  if (!line.empty()) line.remove_prefix(1);
  if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  if (has_data_) keep("\n", data_);
  has_data_ = true;
  keep(line, data_);
  return false;
}

void LastObjects::feed(std::string_view content) {
  while (events_.next(content)) {
    const std::string& data = events_.data();
    const std::size_t begin = data.find_first_not_of(" \t\r\n");
    if (begin != std::string::npos && data[begin] == '{') kept_[seen_++ % kMost] = data;
  }
}

}  // namespace backstay::gateway
