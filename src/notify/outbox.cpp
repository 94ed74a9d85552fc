#include "notify/outbox.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace backstay::notify {

using wire::Notice;

namespace {

constexpr std::size_t kPage = 256;
constexpr std::size_t kIdDigits = 12;
constexpr std::size_t kMostAhead = 1'000;  // Urgent messages that are looked at while one fails.
constexpr int kMostFailed = 2;             // Then it is the target that fails.
/// Less is a clock that is being corrected slowly.
constexpr seconds kClockStep{60};

std::string in_words(const Notice& notice) {
  return fmt::format("{} of {} (audit entry {})", notice.event, notice.endpoint, notice.sequence);
}

/// What a pager is for.
bool is_urgent(const Notice& notice) {
  const std::string_view severity = wire::severity(notice);
  return severity == "error" || severity == "critical" || notice.event == "rollout.rollback";
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
  TRY_DO(note_clock());
  if (!restarted_) {
    if (const auto wait = must_wait()) {
      TRY(const bool fresh, may_end_pause());
      if (!fresh) return std::min(*wait, kLook);
    }
  }
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
  if (!trouble_ || trouble_->next_try != noted_next_try_) return std::nullopt;
  const auto wait = std::chrono::ceil<milliseconds>(next_try_ - ports_.clock.monotonic());
  return wait.count() > 0 ? std::optional(wait) : std::nullopt;
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
  const auto once = [&] { return deliver(ports_.messenger, target_, head.notice, ports_.clock, stop); };
  Delivery delivery = once();
  TRY(bool settled, settle(head, delivery));
  if (settled) return true;
  if (stop.stop_requested()) return false;  // The next process tries it again.
  TRY_DO(note_failure(head, delivery));
  TRY(const bool is_up, tell_ahead(stop));
  if (is_up) {
    delivery = once();
    TRY(settled, settle(head, delivery));
    if (settled) return true;
    if (stop.stop_requested()) return false;
    TRY_DO(note_failure(head, delivery));
  }
  if (is_up && trouble_->tries >= patience_.tries_before_overtaking) {
    TRY_DO(set_aside(head));
    return true;
  }
  TRY_DO(give_up_old());
  return false;
}

Result<bool> Outbox::settle(const Head& head, const Delivery& delivery) {
  if (delivery.delivered) {
    if (head.letter) {
      TRY_DO(ports_.store.remove(target_.name, head.notice.sequence));
    } else {
      TRY_DO(ports_.store.set_told_up_to(target_.name, head.notice.sequence));
    }
    TRY_DO(note_answer());
    return true;
  }
  if (delivery.again) return false;
  TRY_DO(note_answer());
  TRY_DO(bury(head, delivery.why_not));
  ports_.say(
      fmt::format("warning: notifications: {} was not told of {}: {} backstay notify retry {} has it sent again.",
                  target_.name, in_words(head.notice), delivery.why_not, target_.name));
  return true;
}

Result<void> Outbox::note_failure(const Head& head, const Delivery& delivery) {
  const Timestamp now = ports_.clock.now();
  if (!trouble_) trouble_ = Trouble{0, 0, now, now, ""};
  Trouble& trouble = *trouble_;
  trouble.sequence = head.notice.sequence;
  ++trouble.tries;
  trouble.why = delivery.why_not;
  const milliseconds wish = std::min<milliseconds>(delivery.not_before, patience_.longest_wish);
  left_alone_ = wish.count() > 0;
  const milliseconds pause = std::max(pause_after(patience_, trouble.tries), wish);
  const milliseconds extra(
      static_cast<std::int64_t>(patience_.jitter * random_.unit() * static_cast<double>(pause.count())));
  next_try_ = ports_.clock.monotonic() + pause + extra;
  trouble.next_try = noted_next_try_ = now + pause + extra;
  TRY_DO(ports_.store.set_trouble(target_.name, trouble));
  if (!said_down_ && trouble.tries >= patience_.tries_before_telling) {
    said_down_ = true;
    ports_.say(fmt::format(
        "warning: notifications: {} can't be told: {} It is tried again for {}; backstay notify list shows what waits.",
        target_.name, delivery.why_not, to_string(patience_.give_up_after)));
  }
  return {};
}

Result<void> Outbox::set_aside(const Head& head) {
  const std::string why = fmt::format("{} Tried {} times; another message was taken.", trouble_->why, trouble_->tries);
  TRY_DO(bury(head, why));
  TRY_DO(note_answer());
  ports_.say(
      fmt::format("warning: notifications: {} was not told of {}: {} backstay notify retry {} has it sent again.",
                  target_.name, in_words(head.notice), why, target_.name));
  return {};
}

Result<bool> Outbox::may_end_pause() {
  if (left_alone_) return false;
  TRY(const std::vector<std::uint64_t> fresh, who_may_overtake(true));
  return !fresh.empty();
}

Result<bool> Outbox::tell_ahead(const std::stop_token& stop) {
  if (left_alone_) return false;
  TRY(const std::vector<std::uint64_t> candidates, who_may_overtake(false));
  seen_ = scanned_;
  bool took = false;
  int failed = 0;
  for (const std::uint64_t sequence : candidates) {
    if (stop.stop_requested()) break;
    TRY(const audit::Entry* found, entry(sequence));
    if (found == nullptr) break;
    TRY(const std::optional<Notice> notice, wanted(*found));
    if (!notice) continue;
    const Delivery delivery = deliver(ports_.messenger, target_, *notice, ports_.clock, stop);
    if (delivery.delivered) {
      took = true;
      told_ahead_.insert(sequence);
      urgent_.erase(sequence);
      continue;
    }
    if (delivery.not_before.count() > 0) left_alone_ = true;
    // What is refused is told so in its turn.
    if (left_alone_ || (delivery.again && ++failed == kMostFailed)) break;
  }
  return took;
}

Result<std::vector<std::uint64_t>> Outbox::who_may_overtake(bool fresh) {
  TRY(const std::uint64_t told, told_up_to());
  TRY_DO(scan(told));
  TRY(const audit::Entry* failing, entry(trouble_->sequence));
  std::optional<Notice> head;
  if (failing != nullptr) {
    TRY(head, wanted(*failing));
  }
  const std::uint64_t behind = std::max(told, trouble_->sequence);
  const bool all = trouble_->tries >= patience_.tries_before_overtaking;
  std::vector<std::uint64_t> out;
  const auto add = [&](std::uint64_t sequence) {
    const bool known = std::find(out.begin(), out.end(), sequence) != out.end() || told_ahead_.count(sequence) > 0;
    if (sequence > behind && (!fresh || sequence > seen_) && !known) out.push_back(sequence);
  };
  if (all || !head || !is_urgent(*head)) std::for_each(urgent_.begin(), urgent_.end(), add);
  if (!all || !out.empty()) return out;
  // These are enough to see whether it is the message. The next may be as bad as the first, the newest hardly.
  std::uint64_t after = behind;
  TRY(const std::optional<Notice> next, next_wanted(after));
  if (next) add(next->sequence);
  add(newest_);
  return out;
}

Result<void> Outbox::scan(std::uint64_t told) {
  urgent_.erase(urgent_.begin(), urgent_.upper_bound(told));
  scanned_ = std::max(scanned_, told);
  while (true) {
    TRY(const audit::Entry* next, entry(scanned_ + 1));
    if (next == nullptr) return {};
    TRY(const std::optional<Notice> notice, wanted(*next));
    ++scanned_;
    if (!notice) continue;
    newest_ = scanned_;
    if (urgent_.size() < kMostAhead && is_urgent(*notice)) urgent_.insert(scanned_);
  }
}

Result<void> Outbox::give_up_old() {
  const Timestamp oldest = ports_.clock.now() - patience_.give_up_after;
  if (trouble_->since >= oldest) return {};
  const std::string why = fmt::format("Given up after {}. {}", to_string(patience_.give_up_after), trouble_->why);
  std::size_t count = 0;
  TRY(const std::vector<DeadLetter> letters, ports_.store.dead_letters(target_.name));
  for (const DeadLetter& letter : letters) {
    if (!letter.due || on_this_clock(letter.at) > oldest) continue;
    TRY_DO(ports_.store.bury({target_.name, letter.sequence, why, ports_.clock.now(), false}));
    ++count;
  }
  while (true) {
    TRY(std::uint64_t after, told_up_to());
    TRY(std::optional<Notice> notice, next_wanted(after));
    if (!notice || on_this_clock(notice->at) > oldest) break;
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
  left_alone_ = false;
  if (said_down_) ports_.say(fmt::format("notifications: {} can be told again.", target_.name));
  said_down_ = false;
  return {};
}

Result<void> Outbox::note_clock() {
  const Timestamp now = ports_.clock.now();
  const microseconds ahead =
      std::chrono::floor<microseconds>(now.time_since_epoch() - ports_.clock.monotonic().time_since_epoch());
  const microseconds by = ahead - ahead_of_monotonic_.value_or(ahead);
  if (!trouble_) steps_.clear();
  if (ahead_of_monotonic_ && by < kClockStep && by > -kClockStep) return {};
  ahead_of_monotonic_ = ahead;
  if (by.count() == 0 || !trouble_) return {};
  steps_.push_back({now, by});
  trouble_->since += by;
  if (trouble_->next_try == noted_next_try_) trouble_->next_try = noted_next_try_ += by;
  return ports_.store.set_trouble(target_.name, trouble_);
}

Timestamp Outbox::on_this_clock(Timestamp at) const {
  for (const Step& step : steps_) {
    // After a step forward nothing has a time in between; after one back only what is before it has one ahead of it.
    const bool before = step.by.count() > 0 ? at <= step.found - step.by : at > step.found;
    if (before) at += step.by;
  }
  return at;
}

Result<std::uint64_t> Outbox::told_up_to() {
  TRY(const std::optional<ToldTarget> told, ports_.store.target(target_.name));
  const std::uint64_t up_to = told ? told->told_up_to : 0;
  told_ahead_.erase(told_ahead_.begin(), told_ahead_.upper_bound(up_to));
  return up_to;
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
    if (notice && told_ahead_.count(notice->sequence) == 0) return notice;
    ++after;
  }
}

}  // namespace backstay::notify
