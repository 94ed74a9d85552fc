#include "notify/dispatcher.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::notify {

using wire::Notice;

namespace {

constexpr std::size_t kPage = 256;
constexpr std::size_t kIdDigits = 12;
/// Entries of other processes, and letters that someone wants sent again, wake nobody.
constexpr milliseconds kLook{2'000};

}  // namespace

milliseconds pause_after(const Patience& patience, unsigned number) {
  milliseconds pause = patience.first_pause;
  for (unsigned i = 1; i < number && pause < patience.longest_pause; ++i) pause *= 2;
  return std::min(pause, patience.longest_pause);
}

Dispatcher::Dispatcher(Ports ports, std::vector<Target> targets, Patience patience)
    : ports_(std::move(ports)), targets_(std::move(targets)), patience_(patience) {}

Dispatcher::~Dispatcher() {
  stop();
}

void Dispatcher::start() {
  for (const Target& target : targets_) threads_.emplace_back([this, &target] { run(target); });
}

void Dispatcher::wake() {
  {
    const std::lock_guard lock(mutex_);
    ++woken_;
  }
  changed_.notify_all();
}

void Dispatcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Dispatcher::run(const Target& target) {
  bool down = false;
  while (true) {
    std::uint64_t seen = 0;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      seen = woken_;
    }
    // A database that is busy now is asked again at the next look.
    static_cast<void>(turn(target, down));
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLook, [&] { return stopping_ || woken_ != seen; });
  }
}

Result<std::optional<Notice>> Dispatcher::wanted(const Target& target, const audit::Entry& entry) const {
  std::optional<Notice> notice = wire::notice_of(entry);
  if (!notice || !target.wants(notice->event)) return std::optional<Notice>();
  // The log's first entry is no other log's.
  TRY(const std::vector<audit::Entry> first, ports_.audit.read(1, 1));
  notice->id = fmt::format("{}-{}", first.at(0).hash.hex().substr(0, kIdDigits), entry.sequence);
  if (!notice->to.empty() && target.kind == Target::Kind::kGithub)
    notice->commit = ports_.commit_of(notice->endpoint, notice->to);
  return notice;
}

Result<void> Dispatcher::turn(const Target& target, bool& down) {
  TRY_DO(resend_due(target, down));
  TRY(const std::optional<std::uint64_t> told, ports_.store.told_up_to(target.name));
  if (!told) {
    TRY(const std::uint64_t newest, ports_.audit.size());
    return ports_.store.set_told_up_to(target.name, newest);
  }
  for (std::uint64_t next = *told + 1;;) {
    TRY(const std::vector<audit::Entry> page, ports_.audit.read(next, kPage));
    for (const audit::Entry& entry : page) {
      TRY(const std::optional<Notice> notice, wanted(target, entry));
      if (notice) {
        const Delivery delivery = insist(target, *notice, down ? 1 : patience_.tries);
        down = !delivery.delivered && delivery.again;
        if (delivery.delivered) {
          TRY_DO(ports_.store.set_told_up_to(target.name, entry.sequence));
        } else {
          if (!wait(milliseconds(0))) return {};  // The next process tries it again.
          TRY_DO(ports_.store.bury({target.name, entry.sequence, delivery.why_not, ports_.clock.now(), false}));
        }
      }
      next = entry.sequence + 1;
    }
    if (!page.empty()) TRY_DO(ports_.store.set_told_up_to(target.name, next - 1));
    if (page.size() < kPage) return {};
  }
}

Result<void> Dispatcher::resend_due(const Target& target, bool& down) {
  TRY(const std::vector<DeadLetter> letters, ports_.store.dead_letters(target.name));
  for (const DeadLetter& letter : letters) {
    if (!letter.due) continue;
    TRY(const std::vector<audit::Entry> entries, ports_.audit.read(letter.sequence, 1));
    std::optional<Notice> notice;
    if (!entries.empty()) {
      TRY(notice, wanted(target, entries.front()));
    }
    Delivery delivery{true, false, ""};  // Nothing to tell any more.
    if (notice) delivery = insist(target, *notice, 1);
    down = !delivery.delivered && delivery.again;
    if (delivery.delivered) {
      TRY_DO(ports_.store.remove(target.name, letter.sequence));
    } else {
      TRY_DO(ports_.store.bury({target.name, letter.sequence, delivery.why_not, ports_.clock.now(), false}));
    }
  }
  return {};
}

Delivery Dispatcher::insist(const Target& target, const Notice& notice, unsigned tries) {
  for (unsigned number = 1;; ++number) {
    Delivery delivery = deliver(ports_.messenger, target, notice, ports_.clock.now());
    if (delivery.delivered || !delivery.again || number >= tries) return delivery;
    static_cast<void>(ports_.store.set_trouble(
        target.name, fmt::format("audit entry {}, tried {} times: {}", notice.sequence, number, delivery.why_not)));
    if (!wait(pause_after(patience_, number))) return delivery;
  }
}

bool Dispatcher::wait(milliseconds longest) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, longest, [this] { return stopping_; });
  return !stopping_;
}

}  // namespace backstay::notify
