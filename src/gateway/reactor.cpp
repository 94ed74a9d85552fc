#include "gateway/reactor.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace backstay::gateway {

namespace {

constexpr std::uint64_t kListenerTag = ~std::uint64_t{0};
constexpr std::uint64_t kWakeTag = kListenerTag - 1;
constexpr milliseconds kAcceptPause{100};
// Deadlines are looked at no more often than this, so a scan over all streams stays cheap.
constexpr milliseconds kExpiryGrain{5};

std::uint64_t tag(std::uint32_t slot, std::uint32_t generation) {
  return (std::uint64_t{generation} << 32) | slot;
}

}  // namespace

Reactor::Reactor()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      now_(std::chrono::steady_clock::now()),
      read_buffer_(kReadBufferBytes) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeTag;
  // Without these two descriptors there is no event loop to report an error from.
  if (!epoll_ || !wake_ || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) std::abort();
}

Reactor::~Reactor() = default;

Result<void> Reactor::accept_from(int listener, std::function<void()> on_acceptable) {
  listener_ = listener;
  on_acceptable_ = std::move(on_acceptable);
  watch_listener();
  if (!listening_) return Unexpected(error_from_errno(errno, "cannot watch the listening socket"));
  return {};
}

void Reactor::watch_listener() {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  event.data.u64 = kListenerTag;
  listening_ = epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_, &event) == 0;
}

void Reactor::stop_accepting() {
  if (listening_) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_, nullptr);
  listening_ = false;
  listener_ = -1;
  accept_again_ = Monotonic::max();
}

void Reactor::pause_accepting() {
  if (!listening_) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_, nullptr);
  listening_ = false;
  accept_again_ = now_ + kAcceptPause;
  next_expiry_ = std::min(next_expiry_, accept_again_);
}

int Reactor::wait_milliseconds() const {
  if (next_expiry_ == Monotonic::max()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(next_expiry_ - now_);
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void Reactor::run_once() {
  now_ = std::chrono::steady_clock::now();
  const int count = epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), wait_milliseconds());
  now_ = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeTag) {
      std::uint64_t ignored = 0;
      while (read(wake_.get(), &ignored, sizeof ignored) > 0) {
      }
    } else if (event.data.u64 == kListenerTag) {
      if (listening_) on_acceptable_();
    } else {
      // A stream that went while this batch was handled leaves a slot of another generation.
      const Slot& slot = slots_[static_cast<std::uint32_t>(event.data.u64)];
      if (slot.stream != nullptr && slot.generation == event.data.u64 >> 32) slot.stream->on_events(event.events);
    }
  }
  if (now_ >= next_expiry_) expire();
}

void Reactor::wake() {
  const std::uint64_t one = 1;
  // A full counter means that a wake-up is pending already.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void Reactor::expire() {
  next_expiry_ = Monotonic::max();
  if (accept_again_ <= now_) {
    accept_again_ = Monotonic::max();
    watch_listener();
  }
  Monotonic next = accept_again_;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].deadline <= now_) {
      Stream& stream = *slots_[i].stream;
      slots_[i].deadline = Monotonic::max();
      if (stream.on_disturbed_) {
        std::exchange(stream.on_disturbed_, nullptr)(&stream);
      } else {
        stream.resume({IoStatus::kTimedOut, 0});
      }
    }
    if (i < slots_.size()) next = std::min(next, slots_[i].deadline);
  }
  if (next != Monotonic::max()) next = std::max(next, now_ + kExpiryGrain);
  next_expiry_ = std::min(next_expiry_, next);
}

void Reactor::cancel(bool idle_only) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Stream* stream = slots_[i].stream;
    if (stream == nullptr || (idle_only && !stream->idle_)) continue;
    stream->resume({IoStatus::kCancelled, 0});
  }
}

std::uint32_t Reactor::add(Stream* stream, int fd) {
  std::uint32_t index = 0;
  if (free_slots_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[index].stream = stream;
  ++stream_count_;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | static_cast<std::uint32_t>(EPOLLET);
  event.data.u64 = tag(index, slots_[index].generation);
  // Fails only without kernel memory; the stream then ends at its deadline.
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  return index;
}

void Reactor::remove(std::uint32_t slot) {
  slots_[slot].stream = nullptr;
  ++slots_[slot].generation;
  slots_[slot].deadline = Monotonic::max();
  free_slots_.push_back(slot);
  --stream_count_;
}

void Reactor::set_deadline(std::uint32_t slot, Monotonic deadline) {
  slots_[slot].deadline = deadline;
  next_expiry_ = std::min(next_expiry_, deadline);
}

Stream::Stream(Reactor& reactor, Descriptor fd) : reactor_(reactor), fd_(std::move(fd)) {
  slot_ = reactor_.add(this, fd_.get());
}

Stream::~Stream() {
  reactor_.remove(slot_);
}

void Stream::on_events(std::uint32_t events) {
  constexpr std::uint32_t kBroken = EPOLLERR | EPOLLHUP;
  if ((events & (EPOLLIN | EPOLLRDHUP | kBroken)) != 0) readable_ = true;
  if ((events & (EPOLLOUT | kBroken)) != 0) writable_ = true;
  if ((events & (EPOLLRDHUP | kBroken)) != 0) peer_closed_ = true;
  if (on_disturbed_) {
    if (readable_) std::exchange(on_disturbed_, nullptr)(this);
  } else if (waiting_ == Waiting::kRead) {
    IoResult result;
    if (try_read(result)) resume(result);
  } else if (waiting_ == Waiting::kWritable && writable_) {
    resume({});
  }
}

void Stream::wait(Waiting what, std::coroutine_handle<> waiter, Monotonic deadline) {
  waiting_ = what;
  waiter_ = waiter;
  reactor_.set_deadline(slot_, deadline);
}

void Stream::resume(IoResult result) {
  if (waiting_ == Waiting::kNothing) return;
  result_ = result;
  waiting_ = Waiting::kNothing;
  reactor_.slots_[slot_].deadline = Monotonic::max();
  std::exchange(waiter_, {}).resume();  // May destroy this stream.
}

bool Stream::try_read(IoResult& result) {
  if (!readable_) return false;
  ssize_t bytes = 0;
  do {
    bytes = recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    readable_ = false;
    return false;
  }
  if (bytes < 0) {
    result = {IoStatus::kFailed, 0};
  } else if (bytes == 0) {
    result = {IoStatus::kClosed, 0};
  } else {
    result = {IoStatus::kOk, static_cast<std::size_t>(bytes)};
    // A short read has drained the socket, unless the end of the stream is still to be read.
    if (result.bytes < buffer_.size() && !peer_closed_) readable_ = false;
  }
  return true;
}

IoResult Stream::send_now(std::span<iovec> pieces) {
  std::size_t sent = 0;
  while (!pieces.empty()) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t bytes = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (bytes < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        writable_ = false;
        return {IoStatus::kOk, sent};
      }
      return {IoStatus::kFailed, sent};
    }
    sent += static_cast<std::size_t>(bytes);
    auto left = static_cast<std::size_t>(bytes);
    while (!pieces.empty() && left >= pieces.front().iov_len) {
      left -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
    if (!pieces.empty()) {
      pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + left;
      pieces.front().iov_len -= left;
      // The socket took less than there was: its buffer is full.
      writable_ = false;
      return {IoStatus::kOk, sent};
    }
  }
  return {IoStatus::kOk, sent};
}

void Stream::shutdown_write() {
  shutdown(fd_.get(), SHUT_WR);
}

int Stream::connect_error() const {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

void Stream::watch_idle(std::function<void(Stream*)> on_disturbed, Monotonic deadline) {
  on_disturbed_ = std::move(on_disturbed);
  reactor_.set_deadline(slot_, deadline);
}

void Stream::stop_watching() {
  on_disturbed_ = nullptr;
  reactor_.slots_[slot_].deadline = Monotonic::max();
}

}  // namespace backstay::gateway
