#include "api/control_server.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <openssl/crypto.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/json.hpp"
#include "api/uploads.hpp"
#include "services/add_scorecard.hpp"
#include "services/check_rollout.hpp"
#include "services/register_version.hpp"
#include "services/scan_version.hpp"
#include "wire/document.hpp"
#include "wire/manifest_json.hpp"
#include "wire/rollout_json.hpp"
#include "wire/scorecard_json.hpp"

namespace backstay::api {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

namespace {

constexpr seconds kDurableWithin{30};
constexpr std::size_t kMaxJsonBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxAuditPage = 1000;
constexpr std::size_t kThreads = 16;

void send(Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(dump(body) + "\n", "application/json");
}

void send(Response& response, const Error& error) {
  response.status = http_status(error.code);
  response.set_content(dump(problem(error, response.status)) + "\n", "application/problem+json");
}

void reply(Response& response, const Result<json>& result) {
  if (result) return send(response, 200, *result);
  send(response, result.error());
}

bool same_secret(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::uint64_t number(const Request& request, const char* name, std::uint64_t otherwise) {
  if (!request.has_param(name)) return otherwise;
  const std::string text = request.get_param_value(name);
  std::uint64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

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
  fields.optional("reason", order.reason);
  if (word == "rollback") fields.optional("to", order.to);
  TRY_DO(fields.finish());
  return order;
}

Result<std::vector<monitor::Label>> read_labels(const std::string& body) {
  std::vector<monitor::Label> labels;
  TRY(const wire::Document document, wire::Document::from_json("the request body", body));
  wire::Fields fields(document);
  Result<void> bad;
  fields.each("labels", [&](wire::Fields& item) {
    std::string id;
    monitor::Label label;
    item.required("prediction_id", id);
    item.required("label", label.value);
    auto parsed = traffic::PredictionId::parse(id);
    if (parsed) label.prediction = *parsed;
    if (!parsed && bad) bad = Unexpected(std::move(parsed).error());
    labels.push_back(label);
  });
  TRY_DO(fields.finish());
  TRY_DO(bad);
  return labels;
}

}  // namespace

class ControlServer::Routes {
 public:
  Routes(std::string token, Ports ports) : token_(std::move(token)), ports_(std::move(ports)) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_payload_max_length(std::numeric_limits<std::size_t>::max());
    server_.set_keep_alive_timeout(2);
    server_.set_tcp_nodelay(true);
    server_.set_pre_routing_handler([this](const Request& request, Response& response) {
      return admit(request, response) ? httplib::Server::HandlerResponse::Unhandled
                                      : httplib::Server::HandlerResponse::Handled;
    });
    server_.set_exception_handler([](const Request&, Response& response, const std::exception_ptr& failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& known) {
        send(response, Error{ErrorCode::kInternal, known.what(), "This is a fault of Backstay: please report it."});
      }
    });
    server_.set_error_handler([](const Request& request, Response& response) {
      if (!response.body.empty()) return;
      send(response,
           Error{ErrorCode::kNotFound, fmt::format("There is nothing at {} {}.", request.method, request.path),
                 "See docs/api.md for what there is."});
    });
    add_registry();
    add_blob_routes(server_, ports_.registry.blobs, ports_.uploads);
    add_rollouts();
    add_views();
  }

  ~Routes() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Result<void> listen(const std::string& host, std::uint16_t port) {
    // SO_REUSEPORT, httplib's default, would share a port that someone else has.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    const int bound =
        port == 0 ? server_.bind_to_any_port(host.c_str()) : (server_.bind_to_port(host.c_str(), port) ? port : -1);
    if (bound < 0)
      return Unexpected(ErrorCode::kUnavailable, fmt::format("The control address {}:{} can't be used.", host, port),
                        "Another program has it, or it is not this machine's: set control.listen to another one.");
    port_ = static_cast<std::uint16_t>(bound);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();  // stop() is lost on one that does not run yet.
    return {};
  }

  std::uint16_t port() const { return port_; }

 private:
  /// Before the body is read.
  bool admit(const Request& request, Response& response) {
    if (request.path == "/livez") return true;
    if (same_secret(request.get_header_value("Authorization"), "Bearer " + token_)) return fits(request, response);
    response.status = 401;
    response.set_header("WWW-Authenticate", "Bearer");
    response.set_content(dump(problem({ErrorCode::kPermissionDenied, "The token is missing or wrong.",
                                       "Send Authorization: Bearer with the token from DATA_DIR/control/token."},
                                      401)),
                         "application/problem+json");
    return false;
  }

  /// Blobs are streamed, whatever their size; everything else is read whole.
  static bool fits(const Request& request, Response& response) {
    if (request.method == "PUT" || request.method == "PATCH" ||
        (!request.has_header("Transfer-Encoding") &&
         request.get_header_value<std::uint64_t>("Content-Length") <= kMaxJsonBytes))
      return true;
    response.set_header("Connection", "close");
    response.status = 413;
    response.set_content(dump(problem({ErrorCode::kInvalidArgument, "The request is larger than 16 MiB.",
                                       "Upload files with PUT /v1/blobs; a manifest only names them."},
                                      413)),
                         "application/problem+json");
    return false;
  }

  void add_registry() {
    server_.Put(R"(/v1/blobs/([0-9a-f]{64}))", [this](const Request& request, Response& response,
                                                      const httplib::ContentReader& content) {
      reply(response, put_blob(request.matches[1], request.get_header_value<std::uint64_t>("Content-Length"), content));
    });
    server_.Post(R"(/v1/models/([^/]+)/versions)", [this](const Request& request, Response& response) {
      const auto registered = register_version(request.matches[1], request);
      if (!registered) return send(response, registered.error());
      json body = to_json(registered->version);
      body["missing"] = registered->missing;
      body["scan"] = scan::to_string(registered->scan.report.verdict);
      send(response, registered->created ? 201 : 200, body);
    });
    server_.Get(R"(/v1/models/([^/]+)/versions)", [this](const Request& request, Response& response) {
      reply(response, [&]() -> Result<json> {
        TRY(const std::vector<StoredVersion> versions, ports_.registry.versions.versions(request.matches[1]));
        json list = json::array();
        for (const StoredVersion& version : versions) list.push_back(to_json(version));
        return json{{"versions", std::move(list)}};
      }());
    });
    server_.Get(R"(/v1/models/([^/]+)/versions/([^/]+))", [this](const Request& request, Response& response) {
      reply(response, [&]() -> Result<json> {
        TRY(const registry::VersionRef ref,
            registry::VersionRef::parse(fmt::format("{}@{}", request.matches[1].str(), request.matches[2].str())));
        TRY(const StoredVersion version, ports_.registry.versions.version(ref));
        json body = to_json(version);
        body["manifest"] = json::parse(version.manifest_json);
        return body;
      }());
    });
    server_.Post(R"(/v1/models/([^/]+)/versions/([^/]+)/scorecards)",
                 [this](const Request& request, Response& response) {
                   const auto added = add_scorecard(request);
                   if (!added) return send(response, added.error());
                   send(response, 201, *added);
                 });
  }

  Result<json> add_scorecard(const Request& request) {
    TRY(const registry::VersionRef ref,
        registry::VersionRef::parse(fmt::format("{}@{}", request.matches[1].str(), request.matches[2].str())));
    TRY(const wire::Document document, wire::Document::from_json("the request body", request.body));
    TRY(const registry::Scorecard scorecard, wire::scorecard_from(document));
    const std::string actor = request.get_header_value("Backstay-Actor");
    TRY(const registry::StoredScorecard stored,
        services::add_scorecard(ports_.registry.versions, ref, scorecard, {actor.empty() ? "api" : actor}));
    return json{{"id", stored.id}, {"at", to_rfc3339(stored.at)}};
  }

  Result<json> put_blob(const std::string& hex, std::uint64_t expected_bytes, const httplib::ContentReader& content) {
    TRY(const Digest expected, Digest::from_hex(hex));
    TRY(const std::unique_ptr<BlobWriter> writer, ports_.registry.blobs.begin(expected_bytes));
    Sha256 hash;
    Result<void> written;
    const bool complete = content([&](const char* data, std::size_t size) {
      const auto bytes = std::as_bytes(std::span(data, size));
      hash.update(bytes);
      written = writer->write(bytes);
      return written.has_value();
    });
    TRY_DO(written);
    if (!complete) return Unexpected(ErrorCode::kInvalidArgument, "The upload ended early.", "Send it again.");
    const Digest seen = hash.finish();
    if (seen != expected)
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("The content has the digest {}, not {}.", seen.hex(), hex),
                        "Nothing was stored; send the bytes that belong to the digest.");
    TRY(const BlobInfo blob, writer->commit());
    return json{{"sha256", blob.sha256.hex()}, {"size_bytes", blob.size_bytes}};
  }

  Result<services::RegisteredVersion> register_version(const std::string& model, const Request& request) {
    TRY(registry::Manifest manifest, wire::manifest_from_json("the request body", request.body));
    if (manifest.ref.model != model)
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("The manifest is of '{}', the path says '{}'.", manifest.ref.model, model),
                        "Send it to its own model's path.");
    const std::string actor = request.get_header_value("Backstay-Actor");
    return services::register_manifest(ports_.registry, std::move(manifest), {actor.empty() ? "api" : actor});
  }

  void add_rollouts() {
    server_.Post(R"(/v1/endpoints/([^/]+)/rollout)", [this](const Request& request, Response& response) {
      reply(response, start_rollout(request.matches[1], request.body));
    });
    server_.Post(R"(/v1/endpoints/([^/]+)/(rollback|pause|resume|promote))",
                 [this](const Request& request, Response& response) {
                   reply(response, order(request.matches[1], request.matches[2], request.body));
                 });
    server_.Get(R"(/v1/endpoints/([^/]+)/rollouts)", [this](const Request& request, Response& response) {
      reply(response, [&]() -> Result<json> {
        TRY_DO(ports_.model_of(request.matches[1]));
        TRY(const auto states, ports_.records.rollouts.rollouts(request.matches[1], number(request, "limit", 50)));
        json list = json::array();
        for (const rollout::State& state : states) list.push_back(to_json(state));
        return json{{"rollouts", std::move(list)}};
      }());
    });
    server_.Post("/v1/feedback", [this](const Request& request, Response& response) {
      reply(response, [&]() -> Result<json> {
        TRY(std::vector<monitor::Label> labels, read_labels(request.body));
        const monitor::FeedbackResult result = ports_.monitor.feedback(std::move(labels)).get();
        return json{{"joined", result.joined}, {"duplicates", result.duplicates}, {"unknown", result.unknown}};
      }());
    });
  }

  /// Waits until a decision is durable and answers with the endpoint's status.
  Result<json> settled(const std::string& endpoint, std::future<Result<void>> done) {
    const bool stored = done.wait_for(kDurableWithin) == std::future_status::ready;
    if (stored) TRY_DO(done.get());
    const json status = to_json(ports_.monitor.status().get());
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
  Result<registry::VersionRef> version_of(const std::string& endpoint, const std::string& text) const {
    TRY(const std::string model, ports_.model_of(endpoint));
    TRY(registry::VersionRef ref,
        registry::VersionRef::parse(text.find('@') == std::string::npos ? model + "@" + text : text));
    if (ref.model == model) return ref;
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("Endpoint '{}' serves the model '{}', not '{}'.", endpoint, model, ref.model),
                      "Name a version of that model, or the endpoint that serves this one.");
  }

  Result<json> start_rollout(const std::string& endpoint, const std::string& body) {
    OrderText order;
    std::string version;
    std::string plan_yaml;
    bool blue_green = false;
    TRY(const wire::Document document, wire::Document::from_json("the request body", body));
    wire::Fields fields(document);
    fields.required("version", version);
    fields.optional("actor", order.actor);
    fields.optional("reason", order.reason);
    fields.optional("blue_green", blue_green);
    fields.optional("plan_yaml", plan_yaml);
    TRY_DO(fields.finish());

    TRY(const registry::VersionRef ref, version_of(endpoint, version));
    TRY_DO(services::check_rollout(ports_.records, endpoint, ref));
    std::optional<rollout::Plan> plan;
    if (blue_green) plan = rollout::blue_green_plan();
    if (!plan_yaml.empty()) {
      TRY(const wire::Document text, wire::Document::from_yaml("the plan", plan_yaml));
      plan = rollout::default_plan();
      wire::Fields plan_fields(text);
      wire::read_plan(plan_fields, *plan);
      TRY_DO(plan_fields.finish());
      TRY_DO(plan->validate());
    }
    TRY(const std::string warning, services::scan_warning(ports_.registry.versions, ref));
    TRY(json item,
        settled(endpoint, ports_.monitor.start_rollout(endpoint, ref.version.str(), plan, order.actor, order.reason)));
    if (!warning.empty()) item["warnings"] = json::array({warning});
    return item;
  }

  /// Leaving a candidate never waits for the store, and is never refused: only a return to the standby is looked at
  /// first. The monitor knows which it is.
  Result<void> check_rollback(const std::string& endpoint, const std::string& to) {
    const monitor::Status status = ports_.monitor.status().get();
    for (const monitor::EndpointStatus& item : status.endpoints) {
      if (item.endpoint != endpoint) continue;
      // One that was rolled back already stays on stable: repeating it changes nothing.
      const bool stays = item.rollout && item.rollout->phase != rollout::Phase::kDone;
      if (stays && (to.empty() || !rollout::is_final(item.rollout->phase))) return {};
      const std::string target = to.empty() ? item.standby : to;
      if (target.empty() || target == item.stable) return {};
      TRY(registry::SemanticVersion version, registry::SemanticVersion::parse(target));
      return services::check_return(ports_.records, {item.model, std::move(version)});
    }
    return {};
  }

  Result<json> order(const std::string& endpoint, const std::string& word, const std::string& body) {
    TRY(OrderText order, read_order(word, body));
    TRY_DO(ports_.model_of(endpoint));
    if (!order.to.empty()) {
      TRY(const registry::VersionRef ref, version_of(endpoint, order.to));
      order.to = ref.version.str();
    }
    if (word == "rollback") {
      TRY_DO(check_rollback(endpoint, order.to));
      return settled(endpoint, ports_.monitor.roll_back(endpoint, order.actor, order.reason, order.to));
    }
    rollout::Event event = rollout::Pause{order.actor, order.reason};
    if (word == "resume") event = rollout::Resume{order.actor, order.reason};
    if (word == "promote") event = rollout::Promote{order.actor, order.reason};
    return settled(endpoint, ports_.monitor.handle(endpoint, event));
  }

  void add_views() {
    server_.Get("/livez", [](const Request&, Response& response) { send(response, 200, {{"live", true}}); });
    server_.Get("/v1/status", [this](const Request&, Response& response) {
      send(response, 200, to_json(ports_.monitor.status().get()));
    });
    server_.Get("/v1/audit", [this](const Request& request, Response& response) {
      reply(response, [&]() -> Result<json> {
        const std::size_t limit = std::min<std::size_t>(number(request, "limit", 100), kMaxAuditPage);
        TRY(const auto entries, ports_.records.audit.read(number(request, "from", 1), limit));
        json list = json::array();
        for (const audit::Entry& entry : entries) list.push_back(to_json(entry));
        return json{{"entries", std::move(list)}};
      }());
    });
  }

  const std::string token_;
  const Ports ports_;
  httplib::Server server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& host, std::uint16_t port,
                                                            std::string token, Ports ports) {
  auto routes = std::make_unique<Routes>(std::move(token), std::move(ports));
  TRY_DO(routes->listen(host, port));
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(routes)));
}

ControlServer::ControlServer(std::unique_ptr<Routes> routes) : routes_(std::move(routes)) {}
ControlServer::~ControlServer() = default;

std::uint16_t ControlServer::port() const {
  return routes_->port();
}

}  // namespace backstay::api
