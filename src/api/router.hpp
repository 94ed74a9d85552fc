#pragma once

#include <httplib.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/idempotency.hpp"

namespace backstay::api {

/// Declares what the control API answers, and does what is the same for all of it: entity tags of what is read,
/// Idempotency-Key and JSON bodies of what is posted, 404 and 405 before a body is read. Paths are written as in the
/// document: /v1/models/{model}; {sha256} is 64 hex digits, {upload} hex digits, any other name one part of the path.
class Router {
 public:
  /// What stands in a path for its names in braces, in their order.
  using Parts = std::vector<std::string>;
  using Handler = std::function<void(const httplib::Request&, const Parts&, httplib::Response&)>;
  using PlainHandler = std::function<void(const httplib::Request&, httplib::Response&)>;
  using StreamHandler =
      std::function<void(const httplib::Request&, const Parts&, httplib::Response&, const httplib::ContentReader&)>;
  struct Route {
    std::string method;
    std::string path;
    std::vector<std::string> query;  ///< Parameters it takes; others are refused.
    bool takes_json = false;
    Handler handler{};  ///< One of these two.
    StreamHandler streamed{};
  };

  Router(httplib::Server& server, IdempotencyStore& answers);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  void get(const std::string& path, std::vector<std::string> query, Handler handler);
  void get(const std::string& path, std::vector<std::string> query, PlainHandler handler);
  void post(const std::string& path, Handler handler);
  void post(const std::string& path, PlainHandler handler);
  void put(const std::string& path, StreamHandler handler);
  void patch(const std::string& path, StreamHandler handler);
  void remove(const std::string& path, Handler handler);
  void options(const std::string& path, PlainHandler handler);
  /// A POST whose content is in its headers: no JSON, and no Idempotency-Key, whose answer would lack the headers.
  void post_headers(const std::string& path, PlainHandler handler);

  /// Before the body is read. False: the response says why not.
  bool admit(const httplib::Request& request, httplib::Response& response) const;
  const std::vector<Route>& routes() const { return routes_; }
  /// Methods of the routes at a path; none: there is nothing.
  std::vector<std::string> allowed(std::string_view path) const;

 private:
  const Route* find(const httplib::Request& request, Parts& parts) const;
  void dispatch(const httplib::Request& request, httplib::Response& response) const;
  void dispatch(const httplib::Request& request, httplib::Response& response,
                const httplib::ContentReader& content) const;

  Idempotency idempotency_;
  std::vector<Route> routes_;
};

}  // namespace backstay::api
