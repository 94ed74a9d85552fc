#include <fmt/format.h>

#include "api/answer.hpp"
#include "api/json.hpp"
#include "api/routes.hpp"
#include "services/add_scorecard.hpp"
#include "services/register_version.hpp"
#include "services/search_notes.hpp"
#include "services/search_versions.hpp"
#include "wire/document.hpp"
#include "wire/manifest_json.hpp"
#include "wire/scorecard_json.hpp"

/// Versions, scorecards and verdicts.
namespace backstay::api {

using httplib::Request;
using httplib::Response;
using nlohmann::json;
using Ports = ControlServer::Ports;
using Parts = Router::Parts;

namespace {

Result<services::RegisteredVersion> register_version(const Ports& ports, const std::string& model,
                                                     const Request& request) {
  TRY(registry::Manifest manifest, wire::manifest_from_json("the request body", request.body));
  if (manifest.ref.model != model)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("The manifest is of '{}', the path says '{}'.", manifest.ref.model, model),
                      "Send it to its own model's path.");
  return services::register_manifest(ports.registry, std::move(manifest), {actor_of(request)});
}

Result<registry::VersionRef> ref_of(const Parts& parts) {
  return registry::VersionRef::parse(fmt::format("{}@{}", parts[0], parts[1]));
}

/// A page of what the filter selects.
Result<json> page_of(const Ports& ports, const Request& request, Response& response, const std::string& filter) {
  TRY(const std::uint64_t limit, number_of(request, "limit", services::kDefaultPage, 1, services::kMaxPage));
  TRY(const SearchPage page, services::search_versions(ports.search, filter, request.get_param_value("cursor"), limit));
  json body{{"versions", json::array()}};
  for (const StoredVersion& version : page.versions) body["versions"].push_back(to_json(version));
  if (!request.has_param("cursor")) {
    TRY(const std::vector<std::string> notes, services::search_notes(ports.search, ports.registry.versions, filter));
    body["notes"] = notes;
  }
  add_next(request, response, body, page.next);
  return body;
}

json scorecard_json(const registry::StoredScorecard& stored) {
  json item = json::parse(wire::to_json(stored.scorecard));
  item["id"] = stored.id;
  item["at"] = to_rfc3339(stored.at);
  return item;
}

Result<json> add_scorecard(const Ports& ports, const Parts& parts, const Request& request) {
  TRY(const registry::VersionRef ref, ref_of(parts));
  TRY(const wire::Document document, wire::Document::from_json("the request body", request.body));
  TRY(const registry::Scorecard scorecard, wire::scorecard_from(document));
  TRY(const registry::StoredScorecard stored,
      services::add_written_scorecard(ports.registry.versions, ref, scorecard, {actor_of(request)}));
  return scorecard_json(stored);
}

Result<json> scorecards_of(const Ports& ports, const Parts& parts) {
  TRY(const registry::VersionRef ref, ref_of(parts));
  TRY(const auto scorecards, ports.registry.versions.scorecards(ref));
  json list = json::array();
  for (const registry::StoredScorecard& stored : scorecards) list.push_back(scorecard_json(stored));
  return json{{"scorecards", std::move(list)}};
}

Result<json> verdicts_of(const Ports& ports, const Parts& parts) {
  TRY(const registry::VersionRef ref, ref_of(parts));
  TRY(const auto verdicts, ports.registry.versions.verdicts(ref));
  json list = json::array();
  for (const StoredVerdict& verdict : verdicts)
    list.push_back({{"gate", verdict.gate},
                    {"gate_sha256", verdict.gate_digest.hex()},
                    {"verdict", verdict.verdict},
                    {"evidence", json::parse(verdict.evidence, nullptr, false)},
                    {"at", to_rfc3339(verdict.at)},
                    {"decided_by", verdict.decided_by}});
  return json{{"verdicts", std::move(list)}};
}

Result<json> show(const Ports& ports, const Parts& parts) {
  TRY(const registry::VersionRef ref, ref_of(parts));
  TRY(const StoredVersion version, ports.registry.versions.version(ref));
  json body = to_json(version);
  body["manifest"] = json::parse(version.manifest_json);
  return body;
}

/// The canonical bytes: their SHA-256 is the version's identity, and the tag.
void show_manifest(const Ports& ports, const Parts& parts, Response& response) {
  const auto version = [&]() -> Result<StoredVersion> {
    TRY(const registry::VersionRef ref, ref_of(parts));
    return ports.registry.versions.version(ref);
  }();
  if (!version) return send(response, version.error());
  response.status = 200;
  response.set_header("ETag", "\"" + version->identity.hex() + "\"");
  response.set_content(version->manifest_json, "application/json");
}

}  // namespace

void add_registry_routes(Router& router, const Ports& ports) {
  router.get("/v1/versions", {"filter", "cursor", "limit"}, [&ports](const Request& request, Response& response) {
    reply(response, page_of(ports, request, response, request.get_param_value("filter")));
  });
  router.get("/v1/models/{model}/versions", {"cursor", "limit"},
             [&ports](const Request& request, const Parts& parts, Response& response) {
               const std::string& model = parts[0];
               if (const auto named = registry::check_name("model", model); !named)
                 return send(response, named.error());
               reply(response, page_of(ports, request, response, services::filter_of_model(model)));
             });
  router.post("/v1/models/{model}/versions", [&ports](const Request& request, const Parts& parts, Response& response) {
    const auto registered = register_version(ports, parts[0], request);
    if (!registered) return send(response, registered.error());
    json body = to_json(registered->version);
    body["missing"] = registered->missing;
    body["scan"] = scan::to_string(registered->scan.report.verdict);
    send(response, registered->created ? 201 : 200, body);
  });
  const std::string version = "/v1/models/{model}/versions/{version}";
  router.get(version, {},
             [&ports](const Request&, const Parts& parts, Response& response) { reply(response, show(ports, parts)); });
  router.get(version + "/manifest", {}, [&ports](const Request&, const Parts& parts, Response& response) {
    show_manifest(ports, parts, response);
  });
  router.get(version + "/scorecards", {}, [&ports](const Request&, const Parts& parts, Response& response) {
    reply(response, scorecards_of(ports, parts));
  });
  router.post(version + "/scorecards", [&ports](const Request& request, const Parts& parts, Response& response) {
    const auto added = add_scorecard(ports, parts, request);
    if (!added) return send(response, added.error());
    send(response, 201, *added);
  });
  router.get(version + "/verdicts", {}, [&ports](const Request&, const Parts& parts, Response& response) {
    reply(response, verdicts_of(ports, parts));
  });
}

}  // namespace backstay::api
