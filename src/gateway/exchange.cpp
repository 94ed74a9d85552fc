#include "gateway/exchange.hpp"

#include <algorithm>
#include <utility>

namespace backstay::gateway {

using traffic::Ending;

namespace {

constexpr seconds kConnectTimeout{2};

iovec piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

Ending ending_of(IoStatus status) {
  return status == IoStatus::kTimedOut ? Ending::kTimedOut : Ending::kBroken;
}

bool is_event_stream(const http1::ResponseHead& head) {
  constexpr std::string_view kEventStream = "text/event-stream";
  return http1::equals_ignoring_case(head.find("content-type").substr(0, kEventStream.size()), kEventStream);
}

}  // namespace

Task<Ending> Exchange::call(const Call& call) {
  bool new_connection = false;
  bool idle = call.meanwhile != nullptr;
  while (true) {
    Ending ending = co_await send(call, new_connection);
    if (ending == Ending::kAnswered) {
      if (std::exchange(idle, false)) call.meanwhile();
      ending = co_await receive(call);
    }
    // A backend may close an idle connection just as it is used again; that says nothing of the version. Others in the
    // pool are likely to be closed too.
    const bool stale = ending == Ending::kBroken && reused_ && !received_;
    if (!stale) {
      if (ending != Ending::kAnswered) received_at_ = std::chrono::steady_clock::now();
      co_return ending;
    }
    new_connection = true;
  }
}

Task<Ending> Exchange::connect(const Call& call) {
  auto socket = start_connect(call.address);
  if (!socket) co_return Ending::kConnectFailed;
  stream_ = std::make_unique<Stream>(reactor_, *std::move(socket));
  const IoResult ready = co_await stream_->writable(std::min(call.deadline, reactor_.now() + kConnectTimeout));
  if (ready.status != IoStatus::kOk || stream_->connect_error() != 0) {
    stream_.reset();
    co_return Ending::kConnectFailed;
  }
  co_return Ending::kAnswered;
}

Task<Ending> Exchange::send(const Call& call, bool new_connection) {
  address_ = call.address;
  received_ = false;
  body_ = {};
  status_ = 0;
  first_byte_at_.reset();
  stream_ = new_connection ? nullptr : pool_.take(call.address);
  reused_ = stream_ != nullptr;
  sent_at_ = received_at_ = std::chrono::steady_clock::now();
  if (!reused_) {
    const Ending connected = co_await connect(call);
    if (connected != Ending::kAnswered) co_return connected;
  }
  std::array<iovec, 2> pieces{piece(call.head), piece(call.body)};
  const IoResult sent = stream_->send_now(pieces);
  if (sent.status != IoStatus::kOk) co_return Ending::kBroken;
  if (sent.bytes == call.head.size() + call.body.size()) co_return Ending::kAnswered;

  const std::size_t of_head = std::min(sent.bytes, call.head.size());
  bool good = co_await send_more(call.head.substr(of_head), call.deadline);
  if (good) good = co_await send_more(call.body.substr(sent.bytes - of_head), call.deadline);
  if (good) co_return Ending::kAnswered;
  co_return std::chrono::steady_clock::now() >= call.deadline ? Ending::kTimedOut : Ending::kBroken;
}

Task<bool> Exchange::send_more(std::string_view bytes, Monotonic deadline) {
  std::array<iovec, 1> pieces{piece(bytes)};
  IoResult sent = stream_->send_now(pieces);
  if (sent.status == IoStatus::kOk && sent.bytes == bytes.size()) co_return true;
  unsent_.assign(bytes.substr(sent.bytes));
  std::string_view left = unsent_;
  while (sent.status == IoStatus::kOk && !left.empty()) {
    const IoResult ready = co_await stream_->writable(deadline);
    if (ready.status != IoStatus::kOk) co_return false;
    pieces[0] = piece(left);
    sent = stream_->send_now(pieces);
    left.remove_prefix(sent.bytes);
  }
  co_return sent.status == IoStatus::kOk;
}

// Scans the heads at the front of view_, leaving out interim (1xx) ones. True: the final head is there.
bool Exchange::take_heads(const Call& call, bool& broken) {
  while (!view_.empty()) {
    const http1::Scan scan = http1::scan_response(view_, call.to_head_request, head_);
    if (scan == http1::Scan::kMore) return false;
    // Nothing here asks for another protocol, so 101 is no answer.
    broken = scan != http1::Scan::kOk || head_.status == 101;
    if (broken) return false;
    view_.remove_prefix(head_.size);
    if (head_.status >= 200) return true;
  }
  return false;
}

// Accounts for body bytes; returns those that belong to the body.
std::string_view Exchange::take_body(std::string_view fresh) {
  const std::size_t taken = body_.feed(fresh);
  if (taken > 0 && !first_byte_at_) first_byte_at_ = std::chrono::steady_clock::now();
  // Bytes after the end of the response: nobody asked for them, and the connection can't be trusted.
  if (taken < fresh.size()) reusable_ = false;
  return fresh.substr(0, taken);
}

bool Exchange::holds_on(const Call& call) const {
  return !body_.complete() && call.hold_bytes > 0 && view_.size() <= call.hold_bytes && !event_stream_;
}

// The first read that has the whole head in it. False: the response is malformed.
bool Exchange::begin_body() {
  body_ = http1::BodyScanner(head_.framing, head_.content_length);
  head_size_ = head_.size;
  status_ = head_.status;
  event_stream_ = is_event_stream(head_);
  reusable_ = head_.keep_alive;
  view_ = take_body(view_);
  return !body_.bad();
}

Task<Ending> Exchange::receive(const Call& call) {
  held_.clear();
  bool has_head = false;
  bool head_is_held = false;  // held_ is the head and the body after it, not the beginning of a head.
  while (true) {
    const IoResult got = co_await stream_->read(reactor_.read_buffer(), call.deadline);
    if (got.status == IoStatus::kClosed && has_head) {
      body_.on_close();
      if (body_.complete()) break;
    }
    if (got.status != IoStatus::kOk) co_return ending_of(got.status);
    received_ = true;
    const std::string_view fresh(reactor_.read_buffer().data(), got.bytes);

    if (has_head) {
      held_.append(take_body(fresh));
      if (body_.bad()) co_return Ending::kBroken;
      view_ = std::string_view(held_).substr(head_size_);
      if (!holds_on(call)) break;
      continue;
    }
    if (!held_.empty()) held_.append(fresh);
    view_ = held_.empty() ? fresh : std::string_view(held_);
    bool broken = false;
    has_head = take_heads(call, broken);
    if (broken || (has_head && !begin_body())) co_return Ending::kBroken;
    if (has_head && !holds_on(call)) break;
    // Keep the head with the body: its fields are looked at once more when everything is there.
    const std::size_t head_size = has_head ? head_size_ : 0;
    held_ = std::string(view_.data() - head_size, view_.size() + head_size);
    head_is_held = has_head;
  }
  if (head_is_held) {
    http1::scan_response(held_, call.to_head_request, head_);
    view_ = std::string_view(held_).substr(head_.size);
  }
  received_at_ = std::chrono::steady_clock::now();
  co_return Ending::kAnswered;
}

Task<std::string_view> Exchange::next(Monotonic deadline) {
  const IoResult got = co_await stream_->read(reactor_.read_buffer(), deadline);
  view_ = {};
  if (got.status == IoStatus::kClosed) body_.on_close();
  if (got.status != IoStatus::kOk) co_return view_;
  received_at_ = std::chrono::steady_clock::now();
  view_ = std::string_view(reactor_.read_buffer().data(), got.bytes);
  view_ = take_body(view_);
  if (body_.bad()) view_ = {};
  co_return view_;
}

microseconds Exchange::latency() const {
  return std::chrono::duration_cast<microseconds>(received_at_ - sent_at_);
}

std::optional<microseconds> Exchange::first_byte() const {
  if (!first_byte_at_) return std::nullopt;
  return std::chrono::duration_cast<microseconds>(*first_byte_at_ - sent_at_);
}

void Exchange::finish() {
  if (stream_ && reusable_ && body_.complete()) pool_.put(address_, std::move(stream_));
  stream_.reset();
}

}  // namespace backstay::gateway
