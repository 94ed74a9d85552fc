#include "api/answer.hpp"

#include <fmt/format.h>

#include <charconv>

#include "api/json.hpp"
#include "base/digest.hpp"

namespace backstay::api {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

void send(Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(dump(body) + "\n", "application/json");
}

void send_problem(Response& response, const Error& error, int status) {
  response.status = status;
  response.set_content(dump(problem(error, status)) + "\n", "application/problem+json");
}

void send(Response& response, const Error& error) {
  send_problem(response, error, http_status(error.code));
}

void reply(Response& response, const Result<json>& result) {
  if (result) return send(response, 200, *result);
  send(response, result.error());
}

Result<std::uint64_t> number_of(const Request& request, const char* name, std::uint64_t otherwise, std::uint64_t least,
                                std::uint64_t most) {
  if (!request.has_param(name)) return otherwise;
  const std::string text = request.get_param_value(name);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= most) return value;
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The parameter {} is '{}'.", name, text.substr(0, 100)),
                    fmt::format("Give a number from {} to {}.", least, most));
}

void add_next(const Request& request, Response& response, json& body, const std::string& cursor) {
  body["next"] = cursor.empty() ? json(nullptr) : json(cursor);
  if (cursor.empty()) return;
  httplib::Params params = request.params;
  params.erase("cursor");
  params.emplace("cursor", cursor);
  response.set_header("Link",
                      fmt::format("<{}?{}>; rel=\"next\"", request.path, httplib::detail::params_to_query_str(params)));
}

std::string actor_of(const Request& request) {
  const std::string actor = request.get_header_value("Backstay-Actor");
  return actor.empty() ? "api" : actor;
}

std::string entity_tag(std::string_view body) {
  return "\"" + sha256(body).hex() + "\"";
}

bool names_tag(const std::string& header, const std::string& tag) {
  std::string_view rest = header;
  while (!rest.empty()) {
    std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == "*" || item == tag) return true;
  }
  return false;
}

}  // namespace backstay::api
