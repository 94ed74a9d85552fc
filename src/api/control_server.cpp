#include "api/control_server.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <limits>
#include <thread>

#include "api/answer.hpp"
#include "api/http_listener.hpp"
#include "api/openapi.hpp"
#include "api/routes.hpp"

namespace backstay::api {

using httplib::Request;
using httplib::Response;

namespace {

constexpr std::size_t kMaxJsonBytes = 16 * 1024 * 1024;
constexpr std::size_t kThreads = 16;

bool same_secret(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

/// What the library itself refuses, as problem details like all else.
void explain(const Router& router, const Request& request, Response& response) {
  if (!response.body.empty() || response.status == 304) return;
  // Where a request was not read to its end, the next one can't be found.
  if (response.status == 400 || response.status == 413) response.set_header("Connection", "close");
  // The library knows eight methods and takes others for a fault of the request's form.
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (const auto allowed = router.allowed(path);
      response.status == 400 && request.headers.empty() && !allowed.empty() &&
      std::find(allowed.begin(), allowed.end(), request.method) == allowed.end()) {
    response.set_header("Allow", fmt::format("{}", fmt::join(allowed, ", ")));
    return send_problem(response,
                        {ErrorCode::kUnsupported, fmt::format("{} is not possible.", request.method.substr(0, 20)),
                         "GET /v1/openapi.json says what is."},
                        405);
  }
  const int status = response.status;
  if (status == 413 || status == 414)
    return send_problem(response, {ErrorCode::kInvalidArgument, "The request is too large.", "Send a smaller one."},
                        status);
  if (status == 416)
    return send_problem(response, {ErrorCode::kInvalidArgument, "The blob has no such range.", "HEAD gives its size."},
                        status);
  if (status != 404)
    return send_problem(response,
                        {status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kInternal,
                         "The request is not understood as HTTP.", "See docs/api.md for what is."},
                        status);
  send(response, Error{ErrorCode::kNotFound, fmt::format("There is nothing at {} {}.", request.method, request.path),
                       "See docs/api.md for what there is."});
}

}  // namespace

class ControlServer::Routes {
 public:
  Routes(std::string token, Ports ports)
      : token_(std::move(token)), ports_(std::move(ports)), router_(server_, ports_.answers) {
    server_.set_payload_max_length(std::numeric_limits<std::size_t>::max());
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
    server_.set_error_handler(
        [this](const Request& request, Response& response) { explain(router_, request, response); });
    add_registry_routes(router_, ports_);
    add_blob_routes(router_, ports_);
    add_rollout_routes(router_, ports_);
    add_drift_routes(router_, ports_);
    add_view_routes(router_, ports_);
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
    server_.widen_backlog();
    port_ = static_cast<std::uint16_t>(bound);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();  // stop() is lost on one that does not run yet.
    return {};
  }

  /// The document names every route and nothing else.
  Result<void> check_document() const { return check_openapi(router_.routes()); }

  std::uint16_t port() const { return port_; }

 private:
  /// Before the body is read. What is refused here may leave a body unread, so the connection ends.
  bool admit(const Request& request, Response& response) const {
    // The library hands its own request out as const. It would compress what is JSON: another entity than a strong tag
    // stands for, and an eighth of the CPU time of getting a version. And it would refuse a POST that names no length,
    // which is one without a body (RFC 9112, 6.3).
    httplib::Headers& headers = const_cast<Request&>(request).headers;
    headers.erase("Accept-Encoding");
    const bool says_length = request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
    if (!says_length) headers.emplace("Content-Length", "0");
    const bool open_to_all = request.path == "/livez";
    if (!open_to_all && !same_secret(request.get_header_value("Authorization"), "Bearer " + token_)) {
      response.set_header("WWW-Authenticate", "Bearer");
      send_problem(response,
                   {ErrorCode::kPermissionDenied, "The token is missing or wrong.",
                    "Send Authorization: Bearer with the token from DATA_DIR/control/token."},
                   401);
    } else if (!fits(request)) {
      send_problem(response,
                   {ErrorCode::kInvalidArgument, "The request is larger than 16 MiB.",
                    "Upload files with PUT /v1/blobs; a manifest only names them."},
                   413);
    } else if (router_.admit(request, response)) {
      return true;
    }
    if (says_length) response.set_header("Connection", "close");
    return false;
  }

  /// Blobs are streamed, whatever their size; everything else is read whole.
  static bool fits(const Request& request) {
    return request.method == "PUT" || request.method == "PATCH" ||
           (!request.has_header("Transfer-Encoding") &&
            request.get_header_value<std::uint64_t>("Content-Length") <= kMaxJsonBytes);
  }

  const std::string token_;
  const Ports ports_;
  HttpListener server_{kThreads};
  Router router_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& host, std::uint16_t port,
                                                            std::string token, Ports ports) {
  auto routes = std::make_unique<Routes>(std::move(token), std::move(ports));
  TRY_DO(routes->check_document());
  TRY_DO(routes->listen(host, port));
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(routes)));
}

ControlServer::ControlServer(std::unique_ptr<Routes> routes) : routes_(std::move(routes)) {}
ControlServer::~ControlServer() = default;

std::uint16_t ControlServer::port() const {
  return routes_->port();
}

}  // namespace backstay::api
