#include "api/openapi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "api/openapi_text.hpp"

namespace backstay::api {

using nlohmann::json;

const std::string& openapi_document() {
  static const std::string document = kOpenapiText;
  return document;
}

namespace {

/// "GET /v1/versions ?cursor ?filter ?limit"
std::string line_of(const std::string& method, const std::string& path, std::vector<std::string> query) {
  std::sort(query.begin(), query.end());
  return fmt::format("{} {}{}{}", method, path, query.empty() ? "" : " ?", fmt::join(query, " ?"));
}

std::set<std::string> documented() {
  std::set<std::string> lines;
  const json document = json::parse(openapi_document());
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [word, operation] : item.items()) {
      if (word == "parameters") continue;
      std::vector<std::string> query;
      for (const json& given : operation.value("parameters", json::array())) {
        const json& parameter = given.contains("$ref")
                                    ? document.at(json::json_pointer(given["$ref"].get<std::string>().substr(1)))
                                    : given;
        if (parameter["in"] == "query") query.push_back(parameter["name"]);
      }
      std::string method = word;
      std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::toupper(c); });
      lines.insert(line_of(method, path, std::move(query)));
    }
  }
  return lines;
}

}  // namespace

Result<void> check_openapi(const std::vector<Router::Route>& routes) {
  std::set<std::string> served;
  for (const Router::Route& route : routes) served.insert(line_of(route.method, route.path, route.query));
  const std::set<std::string> said = documented();
  std::vector<std::string> differences;
  std::set_symmetric_difference(served.begin(), served.end(), said.begin(), said.end(),
                                std::back_inserter(differences));
  if (differences.empty()) return {};
  return Unexpected(ErrorCode::kInternal,
                    fmt::format("The API and its document differ: {}.", fmt::join(differences, "; ")),
                    "Correct src/api/openapi.json or the routes and build again.");
}

}  // namespace backstay::api
