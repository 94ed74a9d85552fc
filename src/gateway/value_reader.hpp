#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/traffic/outcome.hpp"
#include "gateway/body_form.hpp"
#include "gateway/http1.hpp"

namespace backstay::gateway {

/// Where a number or a text is: a JSON pointer (RFC 6901) into the body, a header, or an element of an output tensor
/// (of a request: an input tensor) of the Open Inference Protocol (v2), in JSON or as binary data after it. Exactly one
/// is set.
struct ValueSource {
  enum class Of : std::uint8_t { kResponse, kRequest };
  std::string json_pointer;
  std::string header;
  std::string tensor{};                ///< The output's name.
  std::vector<std::uint64_t> index{};  ///< By dimension; empty: its first element.
  Of of = Of::kResponse;
  bool operator==(const ValueSource&) const = default;
};

/// Whether anything is looked up there.
inline bool reads(const std::vector<ValueSource>& sources, ValueSource::Of of) {
  return std::any_of(sources.begin(), sources.end(), [of](const ValueSource& source) { return source.of == of; });
}

/// Looks values up in requests and responses without changing them. One per thread.
class ValueReader {
 public:
  ValueReader();
  ~ValueReader();

  using Values = std::array<float, traffic::kMaxValues>;
  /// What is of the response. Numbers as they are, also those that are written as texts, true and false as 1 and 0,
  /// other texts as traffic::text_number(); kNoValue for what is absent, or in a body that is not JSON;
  /// traffic::kUnread for what can't be looked for: the body is packed in a way that unpacked() does not know, or its
  /// binary tensors are not what its JSON says. `body` is the content (after any chunking is undone); `sources` has at
  /// most kMaxValues entries.
  Values read(const std::vector<ValueSource>& sources, const http1::Head& head, std::string_view body);
  /// The same, into its places in `values`, when head and body are not at hand together.
  void read_response_head(const std::vector<ValueSource>& sources, const http1::Head& head, Values& values);
  void read_response_body(const std::vector<ValueSource>& sources, std::string_view body, const BodyForm& form,
                          Values& values);
  /// What is of the request, into its places in `values`, as its head and its body are at hand.
  void read_request_head(const std::vector<ValueSource>& sources, const http1::Head& head, Values& values);
  void read_request_body(const std::vector<ValueSource>& sources, std::string_view body, const BodyForm& form,
                         Values& values);

 private:
  void read_body(const std::vector<ValueSource>& sources, ValueSource::Of of, std::string_view body,
                 const BodyForm& form, Values& values);
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace backstay::gateway
