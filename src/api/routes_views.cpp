#include <limits>

#include "api/answer.hpp"
#include "api/json.hpp"
#include "api/openapi.hpp"
#include "api/routes.hpp"

/// What is only looked at: life, status, audit log, and the document of this API.
namespace backstay::api {

using httplib::Request;
using httplib::Response;
using nlohmann::json;
using Ports = ControlServer::Ports;

namespace {

constexpr std::uint64_t kMaxAuditPage = 1000;

/// Oldest first, from `from` or the cursor on: the cursor is the next entry's number.
Result<json> audit_of(const Ports& ports, const Request& request, Response& response) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  TRY(const std::uint64_t limit, number_of(request, "limit", 100, 1, kMaxAuditPage));
  TRY(const std::uint64_t first, number_of(request, "from", 1, 0, kMost));
  TRY(const std::uint64_t from, number_of(request, "cursor", first, 0, kMost));
  TRY(std::vector<audit::Entry> entries, ports.records.audit.read(from, limit + 1));
  const bool more = entries.size() > limit;
  const std::string next = more ? std::to_string(entries.back().sequence) : "";
  if (more) entries.pop_back();
  json body{{"entries", json::array()}};
  for (const audit::Entry& entry : entries) body["entries"].push_back(to_json(entry));
  add_next(request, response, body, next);
  return body;
}

}  // namespace

void add_view_routes(Router& router, const Ports& ports) {
  router.get("/livez", {}, [](const Request&, Response& response) { send(response, 200, {{"live", true}}); });
  router.get("/v1/openapi.json", {}, [](const Request&, Response& response) {
    response.status = 200;
    response.set_content(openapi_document(), "application/json");
  });
  router.get("/v1/status", {}, [&ports](const Request&, Response& response) {
    nlohmann::json status = to_json(ports.monitor.status().get());
    for (nlohmann::json& endpoint : status["endpoints"]) {
      const auto counts = ports.live_counts ? ports.live_counts(endpoint["endpoint"]) : std::nullopt;
      endpoint["live"] = counts ? nlohmann::json{{"sampled", counts->sampled}, {"unreadable", counts->unreadable}}
                                : nlohmann::json(nullptr);
    }
    send(response, 200, status);
  });
  router.get("/v1/audit", {"from", "cursor", "limit"}, [&ports](const Request& request, Response& response) {
    reply(response, audit_of(ports, request, response));
  });
}

}  // namespace backstay::api
