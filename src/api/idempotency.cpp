#include "api/idempotency.hpp"

#include <algorithm>

#include "api/answer.hpp"

namespace backstay::api {

namespace {

constexpr std::size_t kMaxKeyBytes = 200;

/// Takes the key away when the request is over, however it ends.
class UnderWay {
 public:
  UnderWay(std::mutex& mutex, std::set<std::string>& keys, const std::string& key)
      : mutex_(mutex), keys_(keys), key_(key) {
    const std::lock_guard lock(mutex_);
    first_ = keys_.insert(key_).second;
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  ~UnderWay() {
    const std::lock_guard lock(mutex_);
    if (first_) keys_.erase(key_);
  }
  bool first() const { return first_; }

 private:
  std::mutex& mutex_;
  std::set<std::string>& keys_;
  const std::string& key_;
  bool first_ = false;
};

Digest digest_of(const httplib::Request& request) {
  Sha256 hash;
  hash.update(request.method + " " + request.target + "\n" + request.get_header_value("Backstay-Actor") + "\n");
  hash.update(request.body);
  return hash.finish();
}

}  // namespace

void Idempotency::once(const httplib::Request& request, httplib::Response& response,
                       const std::function<void()>& handle) {
  if (!request.has_header("Idempotency-Key")) return handle();
  const std::string key = request.get_header_value("Idempotency-Key");
  if (key.empty() || key.size() > kMaxKeyBytes ||
      std::any_of(key.begin(), key.end(), [](char c) { return c < 0x21 || c > 0x7e; }))
    return send(response, Error{ErrorCode::kInvalidArgument, "The Idempotency-Key is not usable.",
                                "Send 1 to 200 visible ASCII characters, a new UUID for each thing to do."});
  const UnderWay under_way(mutex_, under_way_, key);
  if (!under_way.first())
    return send(response, Error{ErrorCode::kConflict, "A request with this Idempotency-Key is under way.",
                                "Wait for its answer, or ask again a little later."});
  const Digest digest = digest_of(request);
  const auto known = store_.answer(key);
  if (!known) return send(response, known.error());
  if (known->has_value()) {
    const StoredAnswer& answer = **known;
    if (answer.request != digest)
      return send_problem(response,
                          {ErrorCode::kInvalidArgument, "This Idempotency-Key was used for another request.",
                           "Use a new key for each thing to do."},
                          422);
    response.status = answer.status;
    response.set_header("Idempotency-Replayed", "true");
    response.set_content(answer.body, answer.content_type);
    return;
  }
  handle();
  if (response.status >= 500) return;
  const auto stored =
      store_.remember(key, {digest, response.status, response.get_header_value("Content-Type"), response.body});
  if (!stored) send(response, stored.error());
}

}  // namespace backstay::api
