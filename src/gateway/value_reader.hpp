#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/traffic/outcome.hpp"
#include "gateway/http1.hpp"

namespace backstay::gateway {

/// Where in a response a signal's value is: a JSON pointer (RFC 6901) into the body, a header, or an element of an
/// output tensor of an Open Inference Protocol (v2) answer in JSON. Exactly one is set.
struct ValueSource {
  std::string json_pointer;
  std::string header;
  std::string tensor{};                ///< The output's name.
  std::vector<std::uint64_t> index{};  ///< By dimension; empty: its first element.
  bool operator==(const ValueSource&) const = default;
};

/// Looks values up in responses without changing them. One per thread.
class ValueReader {
 public:
  ValueReader();
  ~ValueReader();

  using Values = std::array<float, traffic::kMaxValues>;
  /// Numbers as they are, true and false as 1 and 0; kNoValue for what is absent, not a number, or in a body that is
  /// not JSON. `body` is the content (after any chunking is undone); `sources` has at most kMaxValues entries.
  Values read(const std::vector<ValueSource>& sources, const http1::Head& head, std::string_view body);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace backstay::gateway
