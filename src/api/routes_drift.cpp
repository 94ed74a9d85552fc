#include <sstream>

#include "api/answer.hpp"
#include "api/drift_json.hpp"
#include "api/routes.hpp"
#include "base/time.hpp"

/// Whether an endpoint is asked about other things than its version was trained on, and which version fits better.
namespace backstay::api {

using httplib::Request;
using httplib::Response;
using nlohmann::json;
using Ports = ControlServer::Ports;
using Parts = Router::Parts;

namespace {

/// What is looked at: the stable version's windows.
struct Asked {
  registry::VersionRef version;
  services::LivePeriod period;
  std::set<std::string> ignored;
};

Result<Asked> asked_of(const Ports& ports, const std::string& endpoint, const Request& request) {
  TRY_DO(ports.model_of(endpoint));  // An endpoint, not a model of that name.
  Asked out;
  std::optional<Timestamp> since;
  if (request.has_param("since")) {
    TRY(since, services::moment_of(request.get_param_value("since"), system_clock().now()));
  }
  std::istringstream names(request.get_param_value("ignore"));
  for (std::string name; std::getline(names, name, ',');) out.ignored.insert(name);
  TRY(out.version, services::version_in_use(ports.records, endpoint));
  TRY(out.period, services::live_period(ports.live_windows, endpoint, out.version.version.str(),
                                        request.get_param_value("segment"), since));
  return out;
}

Result<json> drift_of(const Ports& ports, const std::string& endpoint, const Request& request) {
  TRY(const Asked asked, asked_of(ports, endpoint, request));
  services::DriftQuestion question;
  question.ignored = asked.ignored;
  TRY(const services::DriftReport report,
      services::measure_live_drift(ports.registry, asked.version, asked.period, question));
  return to_json(report);
}

Result<json> suggestion_of(const Ports& ports, const std::string& endpoint, const Request& request) {
  TRY(const Asked asked, asked_of(ports, endpoint, request));
  services::SuggestQuestion question;
  question.endpoint = endpoint;
  question.current = asked.version;
  question.ignored = asked.ignored;
  if (request.has_param("metric")) question.metric = request.get_param_value("metric");
  if (request.has_param("lower_is_better")) {
    const std::string said = request.get_param_value("lower_is_better");
    if (said != "true" && said != "false")
      return Unexpected(ErrorCode::kInvalidArgument, "lower_is_better is neither true nor false.",
                        "Leave it out for metrics whose name tells, like log_loss.");
    question.better = said == "true" ? registry::Better::kLower : registry::Better::kHigher;
  }
  if (ports.release_rules) question.release = ports.release_rules(endpoint);
  TRY(const services::Advice advice,
      services::suggest_version(ports.registry, ports.records, question, asked.period.profile));
  return to_json(advice);
}

}  // namespace

void add_drift_routes(Router& router, const Ports& ports) {
  router.get("/v1/endpoints/{endpoint}/drift", {"since", "segment", "ignore"},
             [&ports](const Request& request, const Parts& parts, Response& response) {
               reply(response, drift_of(ports, parts[0], request));
             });
  router.get("/v1/endpoints/{endpoint}/suggestion", {"since", "segment", "ignore", "metric", "lower_is_better"},
             [&ports](const Request& request, const Parts& parts, Response& response) {
               reply(response, suggestion_of(ports, parts[0], request));
             });
}

}  // namespace backstay::api
