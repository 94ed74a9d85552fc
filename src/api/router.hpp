#pragma once

#include <httplib.h>

#include <functional>
#include <regex>
#include <string>
#include <vector>

#include "api/idempotency.hpp"

namespace backstay::api {

/// Declares what the control API answers, and does what is the same for all of it: entity tags of what is read,
/// Idempotency-Key and JSON bodies of what is posted, 404 and 405 before a body is read. Paths are written as in the
/// document: /v1/models/{model}; {sha256} is 64 hex digits, {upload} hex digits, any other name one part of the path.
class Router {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;
  using StreamHandler = std::function<void(const httplib::Request&, httplib::Response&, const httplib::ContentReader&)>;
  struct Route {
    std::string method;
    std::string path;
    std::vector<std::string> query;  ///< Parameters it takes; others are refused.
    std::regex pattern;
    bool takes_json = false;
  };

  Router(httplib::Server& server, IdempotencyStore& answers) : server_(server), idempotency_(answers) {}

  void get(const std::string& path, std::vector<std::string> query, Handler handler);
  void post(const std::string& path, Handler handler);
  void put(const std::string& path, StreamHandler handler);
  void patch(const std::string& path, StreamHandler handler);
  void remove(const std::string& path, Handler handler);
  void options(const std::string& path, Handler handler);
  /// A POST whose content is in its headers: no JSON, and no Idempotency-Key, whose answer would lack the headers.
  void post_headers(const std::string& path, Handler handler);

  /// Before the body is read. False: the response says why not.
  bool admit(const httplib::Request& request, httplib::Response& response) const;
  const std::vector<Route>& routes() const { return routes_; }
  /// Methods of the routes at a path; none: there is nothing.
  std::vector<std::string> allowed(const std::string& path) const;

 private:
  std::string add(const char* method, const std::string& path, std::vector<std::string> query);

  httplib::Server& server_;
  Idempotency idempotency_;
  std::vector<Route> routes_;
};

}  // namespace backstay::api
