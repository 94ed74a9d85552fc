#pragma once

#include "ports/notifications.hpp"

namespace backstay::notify {

/// Sends with libcurl: HTTP, HTTPS, SMTP and SMTPS (and STARTTLS), certificates verified, redirects not followed, 10 s
/// for everything. Errors never tell the URL: it may hold a secret.
class CurlMessenger : public Messenger {
 public:
  CurlMessenger();
  ~CurlMessenger() override;
  Result<Sent> send(const Message& message) const override;
};

}  // namespace backstay::notify
