#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace backstay::gateway {

/// Reads server-sent events while their bytes go by, wherever they are cut (WHATWG HTML, section 9.2.6, "Interpreting
/// an event stream"). An event's data are its `data` fields, joined by line feeds; it ends with an empty line, and one
/// that the stream ends in is none. Lines end with LF, CR or CRLF. Names, ids, times to retry and comments are passed
/// over. An event with a line or data longer than `most_bytes` is dropped and counted; more than twice that is never
/// kept. Hostile input: any bytes will do. Pure; not thread-safe.
class EventStreamParser {
 public:
  explicit EventStreamParser(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  /// Takes bytes off the front of `bytes` up to the end of the next event. False: they are all taken, and no event has
  /// ended in them.
  bool next(std::string_view& bytes);
  /// After next() was true, until it is called again: the event's data.
  const std::string& data() const { return data_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  bool take_line(std::string_view line);
  void keep(std::string_view part, std::string& in);

  std::size_t most_bytes_;
  std::string line_;  ///< The beginning of a line whose end has not come.
  std::string data_;
  std::uint64_t dropped_ = 0;
  bool first_line_ = true;
  bool after_cr_ = false;  ///< A line feed now belongs to the line end before it.
  bool has_data_ = false;
  bool too_long_ = false;  ///< Of the event that is being read.
  bool ended_ = false;     ///< data_ was given out.
};

/// The data of the last events that are JSON objects, as their first character tells ("[DONE]" is none): where a
/// language model's server puts why it ended and what it counts, in one event or another. At most kMost of up to
/// kMostBytes each; what is larger is passed over.
class LastObjects {
 public:
  static constexpr std::size_t kMost = 8;
  static constexpr std::size_t kMostBytes = 64 * 1024;

  LastObjects() : events_(kMostBytes) {}
  void feed(std::string_view content);
  std::size_t size() const { return std::min(seen_, kMost); }
  /// 0 is the last one; below size().
  const std::string& newest(std::size_t back) const { return kept_[(seen_ - 1 - back) % kMost]; }

 private:
  EventStreamParser events_;
  std::array<std::string, kMost> kept_;
  std::size_t seen_ = 0;
};

}  // namespace backstay::gateway
