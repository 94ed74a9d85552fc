#pragma once

#include <string>
#include <string_view>

namespace backstay::wire {

/// The text that the events of a language model's stream add up to, as OpenAI's API and the servers that speak it send
/// them: of each event, a JSON object, the pieces of the first choice: `delta.content` (chat.completion.chunk) or
/// `text` (text_completion) where `index` is 0 or left out. Whatever else there is (other choices, roles, tool calls,
/// usage,
/// "[DONE]", what is no JSON) adds nothing. Hostile input; the text is never longer than what was added.
class StreamedText {
 public:
  /// The data of the next event.
  void add(std::string_view event);
  const std::string& text() const { return text_; }
  /// Whether any event had a piece, be it an empty one.
  bool found() const { return found_; }

 private:
  std::string text_;
  bool found_ = false;
};

}  // namespace backstay::wire
