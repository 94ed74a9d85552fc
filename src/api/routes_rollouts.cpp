#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "api/answer.hpp"
#include "api/json.hpp"
#include "api/routes.hpp"
#include "domain/traffic/text_value.hpp"
#include "services/accept_scan.hpp"
#include "services/check_rollout.hpp"
#include "services/choose_return.hpp"
#include "services/find_dependents.hpp"
#include "wire/document.hpp"
#include "wire/rollout_json.hpp"

/// Endpoints and their rollouts, feedback.
namespace backstay::api {

using httplib::Request;
using httplib::Response;
using nlohmann::json;
using Ports = ControlServer::Ports;
using Parts = Router::Parts;

namespace {

constexpr seconds kDurableWithin{30};
constexpr std::uint64_t kMaxPage = 500;

/// {"actor": ..., "reason": ...}, in every order to a rollout; a rollback may have "to".
struct OrderText {
  std::string actor = "api";
  std::string reason;
  std::string to;
};

Result<OrderText> read_order(const std::string& word, const std::string& body) {
  OrderText order;
  TRY(const wire::Document document, wire::Document::from_json("the request body", body.empty() ? "{}" : body));
  wire::Fields fields(document);
  fields.optional("actor", order.actor);
  if (word == "rollback") {
    fields.required("reason", order.reason);
    fields.optional("to", order.to);
  } else {
    fields.optional("reason", order.reason);
  }
  TRY_DO(fields.finish());
  if (word == "rollback" && order.reason.find_first_not_of(" \t\r\n") == std::string::npos)
    return Unexpected(ErrorCode::kInvalidArgument, "The reason is empty.", "Say why, for whoever reads the audit log.");
  return order;
}

/// One list of the body. `value`: the member that says how much; a report or conversion needs none.
void read_feedback(wire::Fields& fields, const char* list, const char* value, FeedbackKind kind,
                   std::vector<Label>& out, Result<void>& bad) {
  const std::size_t before = out.size();
  fields.each(list, [&](wire::Fields& item) {
    std::string id;
    Label label;
    label.kind = kind;
    label.value = 1;
    item.required("prediction_id", id);
    if (kind == FeedbackKind::kLabel) {
      std::string text;
      if (!item.has(value)) item.fail(value, "is missing", fmt::format("Add {}.", value));
      item.optional_number_or_text(value, label.value, text);
      if (!text.empty()) label.value = traffic::value_of(text);
    } else {
      item.optional(value, label.value);
    }
    auto parsed = traffic::PredictionId::parse(id);
    if (parsed) label.prediction = *parsed;
    if (!parsed && bad) bad = Unexpected(std::move(parsed).error());
    out.push_back(label);
  });
  if (fields.has(list) && out.size() == before) fields.fail(list, "is empty.", "Leave it out, or say what there is.");
}

Result<std::vector<Label>> read_labels(const std::string& body) {
  std::vector<Label> labels;
  TRY(const wire::Document document, wire::Document::from_json("the request body", body));
  wire::Fields fields(document);
  Result<void> bad;
  read_feedback(fields, "labels", "label", FeedbackKind::kLabel, labels, bad);
  read_feedback(fields, "reports", "severity", FeedbackKind::kReport, labels, bad);
  read_feedback(fields, "conversions", "value", FeedbackKind::kConversion, labels, bad);
  TRY_DO(fields.finish());
  TRY_DO(bad);
  if (labels.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "The request body names no labels, reports or conversions.",
                      R"(Send {"labels": [{"prediction_id": ..., "label": ...}]}.)");
  return labels;
}

/// What an order changes of an endpoint, without counters that change by themselves.
json deployment_json(const monitor::Deployment& deployment) {
  json body{{"endpoint", deployment.record.endpoint},
            {"model", deployment.record.model},
            {"stable", deployment.record.stable},
            {"standby", deployment.record.standby},
            {"rollout", nullptr}};
  if (deployment.rollout) body["rollout"] = to_json(*deployment.rollout);
  return body;
}

Result<json> endpoint_of(const Ports& ports, const std::string& endpoint) {
  TRY(const monitor::Deployment deployment, ports.monitor.deployment(endpoint).get());
  return deployment_json(deployment);
}

/// An order with If-Match is for the endpoint as its sender saw it.
monitor::Monitor::Condition condition_of(const Request& request) {
  if (!request.has_header("If-Match")) return {};
  return [header = request.get_header_value("If-Match")](const monitor::Deployment& now) -> Result<void> {
    if (names_tag(header, entity_tag(dump(deployment_json(now)) + "\n"))) return {};
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("Endpoint '{}' changed since you looked.", now.record.endpoint),
                      "Get it again, decide again, and send its new ETag as If-Match.");
  };
}

/// Waits until a decision is durable and answers with the endpoint's status.
Result<json> settled(const Ports& ports, const std::string& endpoint, std::future<Result<void>> done) {
  const bool stored = done.wait_for(kDurableWithin) == std::future_status::ready;
  if (stored) TRY_DO(done.get());
  const json status = to_json(ports.monitor.status().get());
  for (const json& item : status["endpoints"]) {
    if (item["endpoint"] != endpoint) continue;
    if (stored) return item;
    return Unexpected(
        ErrorCode::kTimeout,
        fmt::format("It is decided and in force, but not stored yet: {}", item["trouble"].get<std::string>()),
        "Backstay keeps trying; look at backstay status.");
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no endpoint '{}'.", endpoint),
                    "The configuration file names the endpoints.");
}

/// "1.1.0" or "model@1.1.0", of the model that the endpoint serves.
Result<registry::VersionRef> version_of(const Ports& ports, const std::string& endpoint, const std::string& text) {
  TRY(const std::string model, ports.model_of(endpoint));
  TRY(registry::VersionRef ref,
      registry::VersionRef::parse(text.find('@') == std::string::npos ? model + "@" + text : text));
  if (ref.model == model) return ref;
  return Unexpected(ErrorCode::kInvalidArgument,
                    fmt::format("Endpoint '{}' serves the model '{}', not '{}'.", endpoint, model, ref.model),
                    "Name a version of that model, or the endpoint that serves this one.");
}

/// What a candidate is compared with, and taken back to, should be there; empty: it is.
std::string stable_is_down(const Ports& ports, const std::string& endpoint) {
  const monitor::Status status = ports.monitor.status().get();
  for (const monitor::EndpointStatus& item : status.endpoints) {
    if (item.endpoint != endpoint || item.stable.empty()) continue;
    const bool ready = std::any_of(item.backends.begin(), item.backends.end(), [&](const auto& backend) {
      return backend.version == item.stable && backend.state == BackendState::kReady;
    });
    if (!ready)
      return fmt::format(
          "{}, which serves now, is not ready itself: after a rollback a version of before it would "
          "have to take its place.",
          item.stable);
  }
  return "";
}

Result<json> start_rollout(const Ports& ports, const std::string& endpoint, const Request& request) {
  OrderText order;
  std::string version;
  std::string plan_yaml;
  bool blue_green = false;
  bool force = false;
  TRY(const wire::Document document, wire::Document::from_json("the request body", request.body));
  wire::Fields fields(document);
  fields.required("version", version);
  fields.optional("actor", order.actor);
  fields.optional("reason", order.reason);
  fields.optional("blue_green", blue_green);
  fields.optional("plan_yaml", plan_yaml);
  fields.optional("force", force);
  TRY_DO(fields.finish());

  TRY(const registry::VersionRef ref, version_of(ports, endpoint, version));
  const services::ReleaseRules rules = ports.release_rules ? ports.release_rules(endpoint) : services::ReleaseRules();
  TRY_DO(services::check_rollout(ports.records, endpoint, ref, rules));
  if (auto waits = services::check_damping(ports.records, endpoint, ref, system_clock().now()); !waits) {
    if (!force) return Unexpected(std::move(waits).error());
    if (order.reason.empty())
      return Unexpected(ErrorCode::kInvalidArgument, "Whoever forces a release says why.", "Give a reason.");
    order.reason += fmt::format(" (forced: {})", waits.error().message);
  }
  std::optional<rollout::Plan> plan;
  if (blue_green) plan = ports.plan_of ? rollout::blue_green_plan(ports.plan_of(endpoint)) : rollout::blue_green_plan();
  if (!plan_yaml.empty()) {
    TRY(const wire::Document text, wire::Document::from_yaml("the plan", plan_yaml));
    plan = rollout::default_plan();
    wire::Fields plan_fields(text);
    wire::read_plan(plan_fields, *plan);
    TRY_DO(plan_fields.finish());
    TRY_DO(plan->validate());
  }
  TRY(const StoredVersion stored, ports.registry.versions.version(ref));
  TRY(const std::string warning, services::scan_warning(ports.registry.versions, stored, rules.exceptions));
  TRY(json item, settled(ports, endpoint,
                         ports.monitor.start_rollout(endpoint, ref.version.str(), plan,
                                                     {order.actor, order.reason, force && !order.reason.empty()},
                                                     condition_of(request))));
  TRY(std::vector<std::string> warnings, services::weak_evidence(ports.records, ref, rules));
  if (!warning.empty()) warnings.insert(warnings.begin(), warning);
  if (std::string down = stable_is_down(ports, endpoint); !down.empty()) warnings.push_back(std::move(down));
  for (std::string& told : ports.monitor.little_traffic(endpoint).get()) warnings.push_back(std::move(told));
  // It has begun: what can't be looked up now is no failure of it.
  if (const auto broken = services::needs_that_end(ports.records, endpoint, ref)) {
    warnings.insert(warnings.end(), broken->begin(), broken->end());
  } else {
    warnings.push_back("What others need of the version that serves could not be read: " + broken.error().message);
  }
  if (!warnings.empty()) item["warnings"] = std::move(warnings);
  return item;
}

using Target = services::RolloutDriver::Target;

/// Where a rollback leads. Leaving a candidate never waits for the store, and is never refused: only where an endpoint
/// returns to when it leaves stable is looked at first. The monitor knows which it is.
Result<Target> target_of(const Ports& ports, const std::string& endpoint, const std::string& to) {
  const monitor::Status status = ports.monitor.status().get();
  for (const monitor::EndpointStatus& item : status.endpoints) {
    if (item.endpoint != endpoint) continue;
    // A candidate is left for stable, and one that was rolled back already stays there: repeating it changes nothing.
    const bool under_way = item.rollout && !rollout::is_final(item.rollout->phase);
    if (under_way || (to.empty() && item.rollout && services::is_rolled_back(*item.rollout, system_clock().now())))
      return Target{};
    if (to.empty() && !item.stable.empty()) {
      TRY(const services::ReturnChoice choice,
          services::choose_return(ports.records, {item.endpoint, item.model, item.stable, item.standby},
                                  ports.release_rules ? ports.release_rules(endpoint) : services::ReleaseRules(),
                                  [&](const std::string&, const std::string& version) {
                                    return std::any_of(item.backends.begin(), item.backends.end(), [&](const auto& b) {
                                      return b.version == version && b.state == BackendState::kReady;
                                    });
                                  }));
      if (choice.version.empty() && !item.standby.empty())
        return Unexpected(ErrorCode::kFailedPrecondition, choice.why,
                          "Release a version that fits, or bring the infrastructure back to what one of them needs.");
      return Target{choice.version, choice.evidence, choice.instead};
    }
    if (to.empty() || to == item.stable) return Target{};
    TRY(registry::SemanticVersion version, registry::SemanticVersion::parse(to));
    TRY_DO(services::check_return(ports.records, {item.model, std::move(version)}));
  }
  return Target{};
}

/// The version that an endpoint returns to when its candidate is left; none: there is no candidate.
std::optional<registry::VersionRef> returns_to(const Ports& ports, const std::string& endpoint) {
  const monitor::Status status = ports.monitor.status().get();
  for (const monitor::EndpointStatus& item : status.endpoints) {
    const bool leaves = item.endpoint == endpoint && item.rollout && !rollout::is_final(item.rollout->phase);
    const auto stable = registry::SemanticVersion::parse(item.stable);
    if (leaves && stable) return registry::VersionRef{item.model, *stable};
  }
  return std::nullopt;
}

Result<json> order(const Ports& ports, const std::string& endpoint, const std::string& word, const Request& request) {
  TRY_DO(ports.model_of(endpoint));
  TRY(OrderText order, read_order(word, request.body));
  if (!order.to.empty()) {
    TRY(const registry::VersionRef ref, version_of(ports, endpoint, order.to));
    order.to = ref.version.str();
  }
  if (word == "rollback") {
    TRY(const Target target, target_of(ports, endpoint, order.to));
    const std::optional<registry::VersionRef> stable = returns_to(ports, endpoint);
    TRY(json item,
        settled(ports, endpoint,
                ports.monitor.roll_back(endpoint, order.actor, order.reason, order.to, condition_of(request), target)));
    if (!stable) return item;
    // Looked at afterwards: a rollback waits for no store.
    if (const auto fits = services::check_return(ports.records, *stable); !fits)
      item["warnings"] = {
          fmt::format("It returned to the version that served beside it, and {}", fits.error().message)};
    return item;
  }
  rollout::Event event = rollout::Pause{order.actor, order.reason};
  if (word == "resume") event = rollout::Resume{order.actor, order.reason};
  if (word == "approve") event = rollout::Approve{order.actor, order.reason};
  if (word == "promote") event = rollout::Promote{order.actor, order.reason};
  monitor::Monitor::Condition condition = condition_of(request);
  if (word == "approve")
    condition = [as_seen = std::move(condition)](const monitor::Deployment& now) -> Result<void> {
      if (as_seen) TRY_DO(as_seen(now));
      // Without a rollout the monitor says so.
      return now.rollout ? rollout::can_approve(*now.rollout) : Result<void>();
    };
  return settled(ports, endpoint, ports.monitor.handle(endpoint, event, std::move(condition)));
}

/// Newest first; the cursor is the last one's id.
Result<json> rollouts_of(const Ports& ports, const std::string& endpoint, const Request& request, Response& response) {
  const std::string cursor = request.get_param_value("cursor");
  TRY_DO(ports.model_of(endpoint));
  TRY(const std::uint64_t limit, number_of(request, "limit", 50, 1, kMaxPage));
  TRY(const auto states, ports.records.rollouts.rollouts(endpoint, std::numeric_limits<std::int64_t>::max()));
  auto next = states.begin();
  if (!cursor.empty()) {
    next = std::find_if(states.begin(), states.end(), [&](const rollout::State& state) { return state.id == cursor; });
    if (next == states.end())
      return Unexpected(ErrorCode::kInvalidArgument, "The cursor is not one that Backstay made.",
                        "Give what the page before gave as its next one.");
    ++next;
  }
  json body{{"rollouts", json::array()}};
  for (; next != states.end() && body["rollouts"].size() < limit; ++next) body["rollouts"].push_back(to_json(*next));
  add_next(request, response, body, next == states.end() ? "" : std::prev(next)->id);
  return body;
}

Result<json> feedback(const Ports& ports, const Request& request) {
  TRY(std::vector<Label> labels, read_labels(request.body));
  TRY(const monitor::FeedbackResult result, ports.monitor.feedback(std::move(labels)).get());
  return json{{"joined", result.joined}, {"duplicates", result.duplicates}, {"unknown", result.unknown}};
}

}  // namespace

void add_rollout_routes(Router& router, const Ports& ports) {
  router.get("/v1/endpoints/{endpoint}", {}, [&ports](const Request&, const Parts& parts, Response& response) {
    reply(response, endpoint_of(ports, parts[0]));
  });
  router.post("/v1/endpoints/{endpoint}/rollout",
              [&ports](const Request& request, const Parts& parts, Response& response) {
                reply(response, start_rollout(ports, parts[0], request));
              });
  for (const std::string word : {"rollback", "pause", "resume", "approve", "promote"}) {
    router.post("/v1/endpoints/{endpoint}/" + word,
                [&ports, word](const Request& request, const Parts& parts, Response& response) {
                  reply(response, order(ports, parts[0], word, request));
                });
  }
  router.get("/v1/endpoints/{endpoint}/rollouts", {"cursor", "limit"},
             [&ports](const Request& request, const Parts& parts, Response& response) {
               reply(response, rollouts_of(ports, parts[0], request, response));
             });
  router.post("/v1/feedback",
              [&ports](const Request& request, Response& response) { reply(response, feedback(ports, request)); });
}

}  // namespace backstay::api
