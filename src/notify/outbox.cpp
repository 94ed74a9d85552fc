#include "notify/outbox.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::notify {

using wire::Notice;

namespace {

constexpr std::size_t kPage = 256;
constexpr std::size_t kIdDigits = 12;

std::string in_words(const Notice& notice) {
  return fmt::format("{} of {} (audit entry {})", notice.event, notice.endpoint, notice.sequence);
}

}  // namespace

milliseconds pause_after(const Patience& patience, std::uint64_t number) {
  milliseconds pause = patience.first_pause;
  for (std::uint64_t i = 1; i < number && pause < patience.longest_pause; ++i) pause *= 2;
  return std::min(pause, patience.longest_pause);
}

Outbox::Outbox(const Ports& ports, const Target& target, const Patience& patience, std::uint64_t seed)
    : ports_(ports), target_(target), patience_(patience), random_(seed) {}

Result<milliseconds> Outbox::turn(const std::stop_token& stop) {
  TRY(const std::optional<ToldTarget> told, ports_.store.target(target_.name));
  if (!told)
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no notification target '{}'.", target_.name),
                      "Restart the server.");
  trouble_ = told->trouble;
  if (!restarted_)
    if (const auto wait = must_wait()) return std::min(*wait, kLook);
  restarted_ = false;
  TRY(bool all, send_letters(stop));
  if (all) {
    TRY(all, send_entries(stop));
  }
  // What failed may be gone: someone took the event out of the configuration.
  if (all && trouble_) TRY_DO(note_answer());
  return std::min(must_wait().value_or(kLook), kLook);
}

std::optional<milliseconds> Outbox::must_wait() const {
  if (!trouble_) return std::nullopt;
  const auto wait = std::chrono::ceil<milliseconds>(trouble_->next_try - ports_.clock.now());
  // Further away than any pause: the clock was put back.
  const milliseconds longest = 2 * std::max(patience_.longest_pause, patience_.longest_wish);
  return wait.count() > 0 && wait <= longest ? std::optional(wait) : std::nullopt;
}

Result<bool> Outbox::send_letters(const std::stop_token& stop) {
  TRY(const std::vector<DeadLetter> letters, ports_.store.dead_letters(target_.name));
  for (const DeadLetter& letter : letters) {
    if (!letter.due) continue;
    TRY(const audit::Entry* found, entry(letter.sequence));
    std::optional<Notice> notice;
    if (found != nullptr) {
      TRY(notice, wanted(*found));
    }
    if (!notice) {  // Nothing to tell any more.
      TRY_DO(ports_.store.remove(target_.name, letter.sequence));
      continue;
    }
    TRY(const bool on, send({std::move(*notice), true}, stop));
    if (!on) return false;
  }
  return true;
}

Result<bool> Outbox::send_entries(const std::stop_token& stop) {
  while (true) {
    TRY(const std::uint64_t told, told_up_to());
    std::uint64_t after = told;
    TRY(std::optional<Notice> notice, next_wanted(after));
    if (after > told) TRY_DO(ports_.store.set_told_up_to(target_.name, after));
    if (!notice) return true;
    TRY(const bool on, send({std::move(*notice), false}, stop));
    if (!on) return false;
  }
}

Result<bool> Outbox::send(const Head& head, const std::stop_token& stop) {
  if (stop.stop_requested()) return false;
  const Delivery delivery = deliver(ports_.messenger, target_, head.notice, ports_.clock, stop);
  if (delivery.delivered) {
    if (head.letter) {
      TRY_DO(ports_.store.remove(target_.name, head.notice.sequence));
    } else {
      TRY_DO(ports_.store.set_told_up_to(target_.name, head.notice.sequence));
    }
    TRY_DO(note_answer());
    return true;
  }
  if (stop.stop_requested()) return false;  // The next process tries it again.
  if (!delivery.again) {
    TRY_DO(note_answer());
    TRY_DO(bury(head, delivery.why_not));
    ports_.say(
        fmt::format("warning: notifications: {} was not told of {}: {} backstay notify retry {} has it sent again.",
                    target_.name, in_words(head.notice), delivery.why_not, target_.name));
    return true;
  }
  TRY(const bool overtaken, overtake(head, delivery, stop));
  if (overtaken) return true;
  TRY_DO(fail(head, delivery));
  return false;
}

Result<void> Outbox::fail(const Head& head, const Delivery& delivery) {
  const Timestamp now = ports_.clock.now();
  if (!trouble_) trouble_ = Trouble{0, 0, now, now, ""};
  Trouble& trouble = *trouble_;
  trouble.sequence = head.notice.sequence;
  ++trouble.tries;
  trouble.why = delivery.why_not;
  const milliseconds wish = std::min<milliseconds>(delivery.not_before, patience_.longest_wish);
  const milliseconds pause = std::max(pause_after(patience_, trouble.tries), wish);
  const double extra = patience_.jitter * random_.unit() * static_cast<double>(pause.count());
  trouble.next_try = now + pause + milliseconds(static_cast<std::int64_t>(extra));
  TRY_DO(ports_.store.set_trouble(target_.name, trouble));
  if (!said_down_ && trouble.tries >= patience_.tries_before_telling) {
    said_down_ = true;
    ports_.say(fmt::format(
        "warning: notifications: {} can't be told: {} It is tried again for {}; backstay notify list shows what waits.",
        target_.name, delivery.why_not, to_string(patience_.give_up_after)));
  }
  const Timestamp oldest = now - patience_.give_up_after;
  return trouble.since < oldest ? give_up_old(oldest) : Result<void>();
}

Result<bool> Outbox::overtake(const Head& head, const Delivery& delivery, const std::stop_token& stop) {
  if (!trouble_ || trouble_->tries + 1 < patience_.tries_before_overtaking) return false;
  if (!delivery.answered || delivery.not_before.count() > 0) return false;
  TRY(const std::uint64_t told, told_up_to());
  std::uint64_t after = std::max(told, head.notice.sequence);
  TRY(const std::optional<Notice> next, next_wanted(after));
  if (!next || !deliver(ports_.messenger, target_, *next, ports_.clock, stop).delivered) return false;
  const std::string why =
      fmt::format("{} Tried {} times; the message after it was taken.", delivery.why_not, trouble_->tries + 1);
  TRY_DO(bury(head, why));
  TRY_DO(ports_.store.set_told_up_to(target_.name, next->sequence));
  TRY_DO(note_answer());
  ports_.say(
      fmt::format("warning: notifications: {} was not told of {}: {}", target_.name, in_words(head.notice), why));
  return true;
}

Result<void> Outbox::give_up_old(Timestamp oldest) {
  const std::string why = fmt::format("Given up after {}. {}", to_string(patience_.give_up_after), trouble_->why);
  std::size_t count = 0;
  TRY(const std::vector<DeadLetter> letters, ports_.store.dead_letters(target_.name));
  for (const DeadLetter& letter : letters) {
    if (!letter.due || letter.at > oldest) continue;
    TRY_DO(ports_.store.bury({target_.name, letter.sequence, why, ports_.clock.now(), false}));
    ++count;
  }
  while (true) {
    TRY(std::uint64_t after, told_up_to());
    TRY(std::optional<Notice> notice, next_wanted(after));
    if (!notice || notice->at > oldest) break;
    TRY_DO(bury({std::move(*notice), false}, why));
    ++count;
  }
  if (count > 0)
    ports_.say(fmt::format(
        "warning: notifications: {} was not told of {} message{} within {}: {} backstay notify list "
        "shows what, backstay notify retry {} has it sent again.",
        target_.name, count, count == 1 ? "" : "s", to_string(patience_.give_up_after), trouble_->why, target_.name));
  return {};
}

Result<void> Outbox::bury(const Head& head, const std::string& why) {
  return ports_.store.bury({target_.name, head.notice.sequence, why, ports_.clock.now(), false});
}

Result<void> Outbox::note_answer() {
  if (!trouble_) return {};
  TRY_DO(ports_.store.set_trouble(target_.name, std::nullopt));
  trouble_.reset();
  if (said_down_) ports_.say(fmt::format("notifications: {} can be told again.", target_.name));
  said_down_ = false;
  return {};
}

Result<std::uint64_t> Outbox::told_up_to() const {
  TRY(const std::optional<ToldTarget> told, ports_.store.target(target_.name));
  return told ? told->told_up_to : 0;
}

Result<const audit::Entry*> Outbox::entry(std::uint64_t sequence) {
  const bool known = !page_.empty() && page_.front().sequence <= sequence && sequence <= page_.back().sequence;
  if (!known) {
    TRY(page_, ports_.audit.read(sequence, kPage));
  }
  const audit::Entry* none = nullptr;
  return page_.empty() ? none : &page_.at(sequence - page_.front().sequence);
}

Result<std::optional<Notice>> Outbox::wanted(const audit::Entry& entry) {
  std::optional<Notice> notice = wire::notice_of(entry);
  if (!notice || !target_.wants(notice->event)) return std::optional<Notice>();
  if (log_.empty()) {
    TRY(const std::vector<audit::Entry> first, ports_.audit.read(1, 1));
    log_ = first.at(0).hash.hex().substr(0, kIdDigits);
  }
  notice->id = fmt::format("{}-{}", log_, entry.sequence);
  if (!notice->to.empty() && target_.kind == Target::Kind::kGithub)
    notice->commit = ports_.commit_of(notice->endpoint, notice->to);
  return notice;
}

Result<std::optional<Notice>> Outbox::next_wanted(std::uint64_t& after) {
  while (true) {
    TRY(const audit::Entry* next, entry(after + 1));
    if (next == nullptr) return std::optional<Notice>();
    TRY(std::optional<Notice> notice, wanted(*next));
    if (notice) return notice;
    ++after;
  }
}

}  // namespace backstay::notify
