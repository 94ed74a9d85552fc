#include "gateway/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/is_prediction.hpp"

/// The client's side of a connection; the backend's is in connection_forward.cpp.
namespace backstay::gateway {

namespace {

constexpr milliseconds kLingerTime{1'000};
constexpr std::size_t kKeepCapacity = 64 * 1024;

iovec piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

std::string_view cookie(const http1::Head& head, std::string_view name) {
  std::string_view left = head.find("cookie");
  while (!left.empty()) {
    const std::size_t end = std::min(left.find(';'), left.size());
    std::string_view pair = left.substr(0, end);
    while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
    if (pair.size() > name.size() && pair[name.size()] == '=' && pair.substr(0, name.size()) == name)
      return pair.substr(name.size() + 1);
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return {};
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Error";
  }
}

int status_of(http1::Scan scan) {
  switch (scan) {
    case http1::Scan::kTooLarge: return 431;
    case http1::Scan::kUnsupported: return 501;
    case http1::Scan::kExpectationFailed: return 417;
    default: return 400;
  }
}

}  // namespace

Connection::Connection(Worker& worker, Descriptor socket)
    : worker_(worker), client_(worker.reactor, std::move(socket)) {}

Task<void> Connection::serve() {
  while (true) {
    const Next next = co_await read_request();
    if (next == Next::kEnd) co_return;
    if (next == Next::kHandled) continue;
    worker_.counters.requests.add();
    const bool goes_on = co_await answer();
    if (!goes_on) co_return;
    input_.erase(0, request_.head_size + request_.body_size);
    if (input_.empty() && input_.capacity() > kKeepCapacity) std::string().swap(input_);
  }
}

Task<Connection::Next> Connection::read_request() {
  if (worker_.draining && input_.empty()) co_return Next::kEnd;
  client_.set_idle(input_.empty());
  Monotonic deadline =
      worker_.reactor.now() + (input_.empty() ? worker_.config.idle_timeout : worker_.config.head_timeout);
  std::size_t searched = 0;
  while (true) {
    // Scanning starts only when the end of a head may have come, so that a slow sender costs little.
    if (!input_.empty() && (input_.find("\r\n\r\n", searched > 3 ? searched - 3 : 0) != std::string::npos ||
                            input_.size() >= http1::kMaxHeadBytes)) {
      std::string why;
      const http1::Scan scan = http1::scan_request(input_, worker_.request, why);
      if (scan != http1::Scan::kOk) {
        worker_.counters.refused.add();
        co_await refuse(status_of(scan), why, true);
        co_return Next::kEnd;
      }
      const bool admitted = co_await admit();
      if (admitted) co_return Next::kRequest;
      co_return request_.keep_alive ? Next::kHandled : Next::kEnd;
    }
    searched = input_.size();
    const IoResult got = co_await client_.read(worker_.reactor.read_buffer(), deadline);
    if (got.status != IoStatus::kOk) co_return Next::kEnd;
    if (input_.empty()) deadline = worker_.reactor.now() + worker_.config.head_timeout;
    client_.set_idle(false);
    input_.append(worker_.reactor.read_buffer().data(), got.bytes);
  }
}

// Takes over what is needed of the head that was just scanned, and reads the body as far as it will be kept. False: the
// request was answered here.
Task<bool> Connection::admit() {
  const http1::RequestHead& head = worker_.request;
  request_ = Request{};
  request_.head_size = head.size;
  request_.is_head = head.method == "HEAD";
  request_.is_prediction = is_prediction(head.method, head.target);
  request_.http_1_0 = head.minor == 0;
  request_.keep_alive = head.keep_alive;
  request_.chunked = head.framing == http1::Framing::kChunked;
  request_.body = http1::BodyScanner(head.framing, head.content_length);

  const auto found = worker_.routes.find(head.target);
  if (!found) {
    const bool has_body = head.framing != http1::Framing::kNone;
    if (head.target == "/livez") {
      co_await respond(200, R"({"live":true})", has_body, "");
    } else {
      worker_.counters.refused.add();
      const std::string why = fmt::format("No endpoint has a route for '{}'.", head.target.substr(0, 200));
      co_await refuse(404, why, has_body);
    }
    if (has_body) request_.keep_alive = false;
    input_.erase(0, request_.head_size);
    co_return false;
  }
  request_.endpoint = *found;
  if (head.framing == http1::Framing::kLength && head.content_length > worker_.config.max_body_bytes) {
    worker_.counters.refused.add();
    request_.keep_alive = false;
    co_await refuse(413, fmt::format("The body is larger than {} bytes.", worker_.config.max_body_bytes), true);
    co_return false;
  }
  request_.prediction = traffic::PredictionId::make(0, 0, worker_.random.next());
  sticky_key_.clear();
  if (!endpoint().sticky_header.empty()) sticky_key_.assign(head.find(endpoint().sticky_header));
  if (sticky_key_.empty() && !endpoint().sticky_cookie.empty())
    sticky_key_.assign(cookie(head, endpoint().sticky_cookie));
  build_forwarded_head();
  if (endpoint().sample_ppm > 0 || reads(endpoint().values, ValueSource::Of::kRequest)) request_.form = form_of(head);
  request_.values.fill(traffic::kNoValue);
  worker_.values.read_request_head(endpoint().values, head, request_.values);
  const bool fits = head.framing != http1::Framing::kLength || head.content_length <= endpoint().replay_bytes;
  if (head.expect_continue) {
    const bool sent = co_await deliver("HTTP/1.1 100 Continue\r\n\r\n", "");
    if (!sent) {
      request_.keep_alive = false;
      co_return false;
    }
  }
  request_.body_size = request_.body.feed(std::string_view(input_).substr(request_.head_size));
  request_.replayable = fits;
  const bool readable = co_await read_body();
  if (!readable) request_.keep_alive = false;
  co_return readable;
}

void Connection::build_forwarded_head() {
  const http1::RequestHead& head = worker_.request;
  forwarded_head_.assign(head.method).append(" ").append(head.target);
  forwarded_head_.append(head.minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  // What is compressed can't be looked into.
  const bool looks_into = reads(endpoint().values, ValueSource::Of::kResponse) || endpoint().examine_ppm > 0;
  http1::append_end_to_end_fields(head, forwarded_head_, looks_into ? "accept-encoding" : "");
  if (looks_into) forwarded_head_.append("Accept-Encoding: identity\r\n");
  request_.unstamped_size = forwarded_head_.size();
}

Task<bool> Connection::read_body() {
  while (request_.replayable && !request_.body.complete() && !request_.body.bad()) {
    if (request_.body_size > endpoint().replay_bytes) {
      request_.replayable = false;
      break;
    }
    const IoResult got =
        co_await client_.read(worker_.reactor.read_buffer(), worker_.reactor.now() + worker_.config.body_timeout);
    if (got.status != IoStatus::kOk) co_return false;
    const std::string_view fresh(worker_.reactor.read_buffer().data(), got.bytes);
    input_.append(fresh);
    request_.body_size += request_.body.feed(fresh);
  }
  if (request_.body.bad()) {
    worker_.counters.refused.add();
    co_await refuse(400, "The chunks of the body are malformed.", true);
    co_return false;
  }
  co_return true;
}

Task<bool> Connection::refuse(int status, std::string_view why, bool close) {
  std::string json = R"({"error":")";
  for (char c : why) {
    if (c == '"' || c == '\\') json.push_back('\\');
    json.push_back(c);
  }
  json.append("\"}");
  co_return co_await respond(status, json, close, "");
}

Task<bool> Connection::respond(int status, std::string_view json, bool close, std::string_view extra_fields) {
  const bool ends = close || worker_.draining || !request_.keep_alive;
  response_head_ =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}{}\r\n", status,
                  reason_of(status), json.size(), extra_fields, ends ? "Connection: close\r\n" : "");
  const bool delivered = co_await deliver(response_head_, request_.is_head ? std::string_view() : json);
  if (delivered && ends) co_await linger();
  co_return delivered && !ends;
}

Task<bool> Connection::deliver(std::string_view first, std::string_view second) {
  if (!hand_over(first, second)) co_return false;
  if (pending_.empty()) co_return true;
  co_return co_await deliver_rest();
}

// Gives the socket what it takes at once; the rest is in pending_, and the bytes may go. False: the client has left.
bool Connection::hand_over(std::string_view first, std::string_view second) {
  pending_.clear();
  std::array<iovec, 2> pieces{piece(first), piece(second)};
  const IoResult sent = client_.send_now(pieces);
  if (sent.status != IoStatus::kOk) return false;
  if (sent.bytes == first.size() + second.size()) return true;
  const std::size_t of_first = std::min(sent.bytes, first.size());
  pending_.assign(first.substr(of_first)).append(second.substr(sent.bytes - of_first));
  return true;
}

Task<bool> Connection::deliver_rest() {
  std::string_view left = pending_;
  while (!left.empty()) {
    const IoResult ready = co_await client_.writable(worker_.reactor.now() + worker_.config.body_timeout);
    if (ready.status != IoStatus::kOk) co_return false;
    std::array<iovec, 1> rest{piece(left)};
    const IoResult sent = client_.send_now(rest);
    if (sent.status != IoStatus::kOk) co_return false;
    left.remove_prefix(sent.bytes);
  }
  co_return true;
}

// Closing with unread bytes would reset the connection and could take the answer with it: read on for a moment.
Task<void> Connection::linger() {
  client_.shutdown_write();
  const Monotonic deadline = worker_.reactor.now() + kLingerTime;
  while (worker_.reactor.now() < deadline) {
    const IoResult got = co_await client_.read(worker_.reactor.read_buffer(), deadline);
    if (got.status != IoStatus::kOk) co_return;
  }
}

}  // namespace backstay::gateway
