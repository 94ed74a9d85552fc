#include "api/router.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/answer.hpp"
#include "base/text.hpp"

namespace backstay::api {

using httplib::Request;
using httplib::Response;

namespace {

std::string pattern_of(const std::string& path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '{') {
      out += path[i] == '.' ? "\\." : std::string(1, path[i]);
      continue;
    }
    const std::size_t end = path.find('}', i);
    const std::string name = path.substr(i + 1, end - i - 1);
    out += name == "sha256" ? "([0-9a-f]{64})" : name == "upload" ? "([0-9a-f]+)" : "([^/]+)";
    i = end;
  }
  return out;
}

/// A tag for what was read, and 304 for who has it already.
void tag(const Request& request, Response& response) {
  if (response.status != 200 || response.body.empty()) return;
  if (!response.has_header("ETag")) response.set_header("ETag", entity_tag(response.body));
  if (!names_tag(request.get_header_value("If-None-Match"), response.get_header_value("ETag"))) return;
  response.status = 304;
  response.body.clear();
  response.headers.erase("Content-Type");
}

bool is_json(const Request& request) {
  const std::string type = request.get_header_value("Content-Type");
  return type.empty() || type.substr(0, type.find(';')) == "application/json";
}

}  // namespace

std::string Router::add(const char* method, const std::string& path, std::vector<std::string> query) {
  std::string pattern = pattern_of(path);
  routes_.push_back({method, path, std::move(query), std::regex(pattern)});
  return pattern;
}

void Router::get(const std::string& path, std::vector<std::string> query, Handler handler) {
  server_.Get(add("GET", path, std::move(query)),
              [handler = std::move(handler)](const Request& request, Response& response) {
                handler(request, response);
                tag(request, response);
              });
}

void Router::post(const std::string& path, Handler handler) {
  const std::string pattern = add("POST", path, {});
  routes_.back().takes_json = true;
  server_.Post(pattern, [this, handler = std::move(handler)](const Request& request, Response& response) {
    idempotency_.once(request, response, [&] { handler(request, response); });
  });
}

void Router::put(const std::string& path, StreamHandler handler) {
  server_.Put(add("PUT", path, {}), std::move(handler));
}

void Router::patch(const std::string& path, StreamHandler handler) {
  server_.Patch(add("PATCH", path, {}), std::move(handler));
}

void Router::remove(const std::string& path, Handler handler) {
  server_.Delete(add("DELETE", path, {}), std::move(handler));
}

void Router::options(const std::string& path, Handler handler) {
  server_.Options(add("OPTIONS", path, {}), std::move(handler));
}

void Router::post_headers(const std::string& path, Handler handler) {
  server_.Post(add("POST", path, {}), std::move(handler));
}

std::vector<std::string> Router::allowed(const std::string& path) const {
  std::vector<std::string> methods;
  for (const Route& route : routes_) {
    if (std::regex_match(path, route.pattern)) methods.push_back(route.method);
  }
  return methods;
}

bool Router::admit(const Request& request, Response& response) const {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  const std::vector<std::string> allowed = this->allowed(request.path);
  const auto found = std::find_if(routes_.begin(), routes_.end(), [&](const Route& route) {
    return route.method == method && std::regex_match(request.path, route.pattern);
  });
  const std::string asked = fmt::format("{} {}", request.method.substr(0, 20), request.path.substr(0, 200));
  constexpr const char* kSee = "GET /v1/openapi.json says what there is.";
  if (allowed.empty()) {
    send(response, Error{ErrorCode::kNotFound, fmt::format("There is nothing at {}.", asked), kSee});
    return false;
  }
  if (found == routes_.end()) {
    response.set_header("Allow", fmt::format("{}", fmt::join(allowed, ", ")));
    send_problem(response, {ErrorCode::kUnsupported, fmt::format("{} is not possible.", asked), kSee}, 405);
    return false;
  }
  for (const auto& [name, value] : request.params) {
    if (std::find(found->query.begin(), found->query.end(), name) != found->query.end()) continue;
    const auto meant = nearest(name, found->query);
    send(response, Error{ErrorCode::kInvalidArgument, fmt::format("There is no parameter '{}'.", name.substr(0, 100)),
                         meant ? fmt::format("Did you mean {}?", *meant) : kSee});
    return false;
  }
  if (found->takes_json && !is_json(request)) {
    send_problem(response,
                 {ErrorCode::kInvalidArgument, "The body is no JSON, by its Content-Type.",
                  "Send it as Content-Type: application/json."},
                 415);
    return false;
  }
  return true;
}

}  // namespace backstay::api
