#pragma once

#include <optional>
#include <string>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace backstay {

/// What a request with an Idempotency-Key was answered.
struct StoredAnswer {
  Digest request;  ///< Of its method, path and body: the key is for this one only.
  int status = 0;
  std::string content_type;
  std::string body;
  bool operator==(const StoredAnswer&) const = default;
};

/// Remembers answers, so that a request that is sent again is answered again and not done again.
class IdempotencyStore {
 public:
  virtual ~IdempotencyStore() = default;
  virtual Result<std::optional<StoredAnswer>> answer(const std::string& key) const = 0;
  /// Durable when it returns; the first answer of a key stays. Forgets those older than a day.
  virtual Result<void> remember(const std::string& key, const StoredAnswer& answer) = 0;
};

}  // namespace backstay
