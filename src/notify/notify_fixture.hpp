#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "notify/target.hpp"

/// What the tests of this folder share.
namespace backstay::notify {

/// Goes on when it is told to.
class HandClock : public Clock {
 public:
  Timestamp now() const override { return Timestamp(seconds(1'800'000'000)) + passed() + set_by(); }
  Monotonic monotonic() const override { return Monotonic() + passed(); }
  void pass(microseconds time) {
    const std::lock_guard lock(mutex_);
    passed_ += time;
  }
  /// Nothing passes.
  void set(microseconds by) {
    const std::lock_guard lock(mutex_);
    set_by_ += by;
  }

 private:
  microseconds passed() const {
    const std::lock_guard lock(mutex_);
    return passed_;
  }
  microseconds set_by() const {
    const std::lock_guard lock(mutex_);
    return set_by_;
  }
  mutable std::mutex mutex_;
  microseconds passed_{0};
  microseconds set_by_{0};
};

/// Remembers what was sent and answers what the test says: first `answers`, then `usual`.
class FakeMessenger : public Messenger {
 public:
  Result<Sent> send(const Message& message) const override {
    std::unique_lock lock(mutex_);
    sent_.push_back(message);
    changed_.notify_all();
    if (answers_.empty()) {
      const auto usual = usual_;
      lock.unlock();
      return usual(message);
    }
    Result<Sent> answer = answers_.front();
    answers_.erase(answers_.begin());
    return answer;
  }
  void answer(std::vector<Result<Sent>> answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
  }
  void usually(std::function<Result<Sent>(const Message&)> usual) {
    const std::lock_guard lock(mutex_);
    usual_ = std::move(usual);
  }
  void usually(int status) {
    usually([status](const Message&) { return Sent{status, "{}"}; });
  }
  std::vector<Message> wait_for(std::size_t count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sent_.size() >= count; });
    return sent_;
  }
  std::vector<Message> sent() const { return wait_for(0); }
  std::size_t count() const { return sent().size(); }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable std::vector<Message> sent_;
  mutable std::vector<Result<Sent>> answers_;
  std::function<Result<Sent>(const Message&)> usual_ = [](const Message&) { return Sent{200, "{}"}; };
};

inline const char* const kIds = R"({"from":"1.0.0","rollout":"e-2","to":"2.0.0"})";

inline audit::Draft rollback() {
  return {"backstay", "rollout.rollback", "endpoint e", "errors: 9 of 36 <bad> & \"worse\"", kIds};
}

inline wire::Notice notice_of(const audit::Draft& draft) {
  audit::Entry entry;
  entry.sequence = 7;
  entry.at = Timestamp(seconds(1'700'000'000));
  entry.draft = draft;
  wire::Notice notice = wire::notice_of(entry).value();
  notice.id = "0a1b2c-7";
  return notice;
}

inline Target target(Target::Kind kind, const char* secret = "") {
  Target out;
  out.name = "t";
  out.kind = kind;
  out.url = "https://example.org/hook";
  out.secret = secret;
  out.repository = "acme/m";
  out.from = "backstay@example.org";
  out.to = {"ops@example.org", "qa@example.org"};
  out.events = usual_events(kind);
  return out;
}

}  // namespace backstay::notify
