#include "api/router.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/answer.hpp"
#include "base/text.hpp"

namespace backstay::api {

using httplib::Request;
using httplib::Response;

namespace {

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool may_stand_for(std::string_view name, std::string_view part) {
  if (name == "{sha256}") return part.size() == 64 && is_hex(part);
  return name == "{upload}" ? is_hex(part) : !part.empty();
}

std::string_view take_part(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view part = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return part;
}

/// Whether a path is of the form "/v1/models/{model}"; puts what stands for the names into `parts`.
bool fits(std::string_view form, std::string_view path, Router::Parts& parts) {
  parts.clear();
  if (std::count(form.begin(), form.end(), '/') != std::count(path.begin(), path.end(), '/')) return false;
  while (!form.empty() || !path.empty()) {
    const std::string_view name = take_part(form);
    const std::string_view part = take_part(path);
    if (name.starts_with('{') ? !may_stand_for(name, part) : name != part) return false;
    if (name.starts_with('{')) parts.emplace_back(part);
  }
  return true;
}

Router::Handler with_parts(Router::PlainHandler handler) {
  return [handler = std::move(handler)](const Request& request, const Router::Parts&, Response& response) {
    handler(request, response);
  };
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

Router::Router(httplib::Server& server, IdempotencyStore& answers) : idempotency_(answers) {
  // The library tries one regular expression after the other: it gets one for everything.
  const char* everything = R"([\s\S]*)";
  const auto plain = [this](const Request& request, Response& response) { dispatch(request, response); };
  const auto streamed = [this](const Request& request, Response& response, const httplib::ContentReader& content) {
    dispatch(request, response, content);
  };
  server.Get(everything, plain);
  server.Post(everything, plain);
  server.Delete(everything, plain);
  server.Options(everything, plain);
  server.Put(everything, streamed);
  server.Patch(everything, streamed);
}

void Router::get(const std::string& path, std::vector<std::string> query, Handler handler) {
  routes_.push_back({"GET", path, std::move(query), false,
                     [handler = std::move(handler)](const Request& request, const Parts& parts, Response& response) {
                       handler(request, parts, response);
                       tag(request, response);
                     }});
}

void Router::get(const std::string& path, std::vector<std::string> query, PlainHandler handler) {
  get(path, std::move(query), with_parts(std::move(handler)));
}

void Router::post(const std::string& path, Handler handler) {
  routes_.push_back(
      {"POST",
       path,
       {},
       true,
       [this, handler = std::move(handler)](const Request& request, const Parts& parts, Response& response) {
         idempotency_.once(request, response, [&] { handler(request, parts, response); });
       }});
}

void Router::post(const std::string& path, PlainHandler handler) {
  post(path, with_parts(std::move(handler)));
}

void Router::put(const std::string& path, StreamHandler handler) {
  routes_.push_back({"PUT", path, {}, false, {}, std::move(handler)});
}

void Router::patch(const std::string& path, StreamHandler handler) {
  routes_.push_back({"PATCH", path, {}, false, {}, std::move(handler)});
}

void Router::remove(const std::string& path, Handler handler) {
  routes_.push_back({"DELETE", path, {}, false, std::move(handler)});
}

void Router::options(const std::string& path, PlainHandler handler) {
  routes_.push_back({"OPTIONS", path, {}, false, with_parts(std::move(handler))});
}

void Router::post_headers(const std::string& path, PlainHandler handler) {
  routes_.push_back({"POST", path, {}, false, with_parts(std::move(handler))});
}

std::vector<std::string> Router::allowed(std::string_view path) const {
  std::vector<std::string> methods;
  Parts parts;
  for (const Route& route : routes_) {
    if (fits(route.path, path, parts)) methods.push_back(route.method);
  }
  return methods;
}

const Router::Route* Router::find(const Request& request, Parts& parts) const {
  std::string_view method = request.method;
  if (method == "HEAD") method = "GET";
  for (const Route& route : routes_) {
    if (route.method == method && fits(route.path, request.path, parts)) return &route;
  }
  return nullptr;
}

// What admit() refused does not get here.
void Router::dispatch(const Request& request, Response& response) const {
  Parts parts;
  if (const Route* route = find(request, parts)) route->handler(request, parts, response);
}

void Router::dispatch(const Request& request, Response& response, const httplib::ContentReader& content) const {
  Parts parts;
  if (const Route* route = find(request, parts)) route->streamed(request, parts, response, content);
}

bool Router::admit(const Request& request, Response& response) const {
  Parts parts;
  const Route* found = find(request, parts);
  constexpr const char* kSee = "GET /v1/openapi.json says what there is.";
  if (found == nullptr) {
    const std::vector<std::string> allowed = this->allowed(request.path);
    const std::string asked = fmt::format("{} {}", request.method.substr(0, 20), request.path.substr(0, 200));
    if (allowed.empty()) {
      send(response, Error{ErrorCode::kNotFound, fmt::format("There is nothing at {}.", asked), kSee});
      return false;
    }
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
