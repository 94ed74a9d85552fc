#pragma once

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

/// The data of the last event that is a JSON object, as its first character tells: where a language model's server puts
/// what it counts ("[DONE]" is none).
class LastObject {
 public:
  LastObject() : events_(kMostBytes) {}
  void feed(std::string_view content);
  /// Empty: there was none.
  const std::string& json() const { return json_; }

 private:
  static constexpr std::size_t kMostBytes = 64 * 1024;
  EventStreamParser events_;
  std::string json_;
};

}  // namespace backstay::gateway
