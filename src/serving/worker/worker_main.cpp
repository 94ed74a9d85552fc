#include <fmt/format.h>
#include <httplib.h>

#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "serving/worker/model.hpp"
#include "serving/worker/protocol.hpp"

/// Serves one model version by the Open Inference Protocol: one process, one model.
namespace {

using namespace backstay;

// Each kept-alive connection of the gateway occupies a thread, mostly asleep.
constexpr std::size_t kConnections = 256;

constexpr const char* kUsage =
    "usage: backstay-worker --model PATH --name NAME --version VERSION [--listen 127.0.0.1:0] [--threads 1]\n"
    "                       [--max-body-bytes 67108864]\n"
    "Prints {\"port\":N} when it is ready. Exit codes: 2 usage, 3 an operator is lacking, 4 the model can't be read,\n"
    "5 the address can't be used.\n";

struct Options {
  std::string model, name, version;
  std::string listen = "127.0.0.1:0";
  std::string threads = "1";
  std::string max_body_bytes = "67108864";
};

std::optional<Options> read_options(int argc, char** argv) {
  Options options;
  const std::map<std::string, std::string*> known{
      {"--model", &options.model},   {"--name", &options.name},       {"--version", &options.version},
      {"--listen", &options.listen}, {"--threads", &options.threads}, {"--max-body-bytes", &options.max_body_bytes}};
  for (int i = 1; i < argc; i += 2) {
    const auto option = known.find(argv[i]);
    if (option == known.end() || i + 1 == argc) return std::nullopt;
    *option->second = argv[i + 1];
  }
  if (options.model.empty() || options.name.empty() || options.version.empty()) return std::nullopt;
  return options;
}

int number(const std::string& text) {
  int value = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ptr == text.data() + text.size() ? value : -1;
}

void answer(httplib::Response& response, int status, const std::string& body) {
  response.status = status;
  response.set_content(body, "application/json");
}

int status_of(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument ? 400 : 500;
}

void infer(worker::Model& model, const Options& options, const httplib::Request& request, httplib::Response& response) {
  const auto reply = [&]() -> Result<std::string> {
    TRY(const worker::InferRequest asked, worker::read_infer_request(request.body, model.inputs(), model.outputs()));
    TRY(const std::vector<worker::Tensor> outputs, model.infer(asked.inputs, asked.outputs));
    return worker::write_infer_response(options.name, options.version, asked.id, outputs);
  }();
  if (reply) return answer(response, 200, *reply);
  answer(response, status_of(reply.error()), worker::write_error(reply.error().message));
}

void add_routes(httplib::Server& server, worker::Model& model, const Options& options) {
  server.Get("/v2", [](const httplib::Request&, httplib::Response& response) {
    answer(response, 200, R"({"name":"backstay-worker","version":"0.1.0","extensions":[]})");
  });
  server.Get("/v2/health/live",
             [](const httplib::Request&, httplib::Response& response) { answer(response, 200, R"({"live":true})"); });
  server.Get("/v2/health/ready",
             [](const httplib::Request&, httplib::Response& response) { answer(response, 200, R"({"ready":true})"); });
  const auto is_ours = [&options](const httplib::Request& request, httplib::Response& response) {
    const std::string version = request.matches[3];
    if (request.matches[1] == options.name && (version.empty() || version == options.version)) return true;
    answer(response, 404, worker::write_error(fmt::format("This worker serves {} {}.", options.name, options.version)));
    return false;
  };
  const std::string path = R"(/v2/models/([^/]+)(/versions/([^/]+))?)";
  server.Get(path, [&, is_ours](const httplib::Request& request, httplib::Response& response) {
    if (is_ours(request, response))
      answer(response, 200, worker::write_metadata(options.name, options.version, model.inputs(), model.outputs()));
  });
  server.Get(path + "/ready", [&, is_ours](const httplib::Request& request, httplib::Response& response) {
    if (is_ours(request, response)) answer(response, 200, fmt::format(R"({{"name":"{}","ready":true}})", options.name));
  });
  server.Post(path + "/infer", [&, is_ours](const httplib::Request& request, httplib::Response& response) {
    if (is_ours(request, response)) infer(model, options, request, response);
  });
  server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    const char* message = response.status == 413 ? "The request is too large." : "There is nothing at this path.";
    answer(response, response.status, worker::write_error(message));
  });
}

/// Requests whose answer has not been sent.
class UnderWay {
 public:
  explicit UnderWay(httplib::Server& server) {
    server.set_pre_routing_handler([this](const httplib::Request&, httplib::Response&) {
      const std::lock_guard lock(mutex_);
      ++count_;
      return httplib::Server::HandlerResponse::Unhandled;
    });
    server.set_logger([this](const httplib::Request&, const httplib::Response&) {
      const std::lock_guard lock(mutex_);
      if (--count_ == 0) none_.notify_all();
    });
  }
  void wait_for_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  int count_ = 0;
};

int exit_code(const Error& error) {
  return error.code == ErrorCode::kUnsupported ? 3 : 4;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = read_options(argc, argv);
  const std::size_t colon = options ? options->listen.rfind(':') : std::string::npos;
  const int port = colon == std::string::npos ? -1 : number(options->listen.substr(colon + 1));
  const int threads = options ? number(options->threads) : -1;
  const int max_body = options ? number(options->max_body_bytes) : -1;
  if (port < 0 || port > 65535 || threads < 1 || max_body < 1) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  // Signals are taken by the thread that waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto model = worker::Model::load(options->model, static_cast<unsigned>(threads));
  if (!model) {
    // One line: the last one is what Backstay tells as the reason.
    fmt::print(stderr, "error: {} {}\n", model.error().message, model.error().hint);
    return exit_code(model.error());
  }
  (*model)->warm_up();
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kConnections); };
  server.set_keep_alive_max_count(1'000'000'000);
  server.set_keep_alive_timeout(300);
  server.set_tcp_nodelay(true);
  server.set_payload_max_length(static_cast<std::size_t>(max_body));
  add_routes(server, **model, *options);
  const std::string host = options->listen.substr(0, colon);
  const int bound =
      port == 0 ? server.bind_to_any_port(host.c_str()) : (server.bind_to_port(host.c_str(), port) ? port : -1);
  if (bound < 0) {
    fmt::print(stderr, "error: The address {} can't be used; is it taken?\n", options->listen);
    return 5;
  }
  UnderWay under_way(server);
  std::thread([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    under_way.wait_for_none();
    // Threads of idle connections would be waited for until their keep-alive runs out.
    std::_Exit(0);
  }).detach();
  fmt::print("{{\"port\":{}}}\n", bound);
  std::fflush(stdout);
  server.listen_after_bind();
  fmt::print(stderr, "error: The server stopped listening.\n");
  std::_Exit(5);
}
