#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

/// What telling the world of releases needs: how far each target has been told, and a way to send.
namespace backstay {

/// A message that could not be delivered: kept until someone has it sent again.
struct DeadLetter {
  std::string target;
  std::uint64_t sequence = 0;  ///< Of the audit entry that it is about.
  std::string why;             ///< What the last try came to.
  Timestamp at;                ///< When it was given up; due: since when it waits to be sent again.
  bool due = false;            ///< Someone wants it sent again.
};

/// A target that can't be told now and is tried again.
struct Trouble {
  std::uint64_t sequence = 0;  ///< The audit entry whose message was tried last.
  std::uint64_t tries = 0;     ///< Since then; all failed.
  Timestamp since;             ///< The first of them.
  Timestamp next_try;
  std::string why;  ///< What the last one came to.
};

/// Who is told of what.
struct Audience {
  std::string target;
  std::vector<std::string> events;
};

/// How far a target has been told.
struct ToldTarget {
  std::string name;
  std::uint64_t told_up_to = 0;     ///< An audit entry's sequence.
  std::vector<std::string> events;  ///< What it is told of.
  bool served = true;               ///< The server that started last has it.
  std::optional<Trouble> trouble;
};

/// Durable when a call returns; thread-safe. None of it is evidence: the audit log is, and it is the queue, too.
class NotificationStore {
 public:
  virtual ~NotificationStore() = default;
  /// The targets of a server that starts. One that is new, or that the server before did not have, is told of what
  /// comes after the audit entry `newest`; one that is not among them any more has no trouble.
  virtual Result<void> set_targets(const std::vector<Audience>& targets, std::uint64_t newest) = 0;
  /// nullopt: no server ever had it.
  virtual Result<std::optional<ToldTarget>> target(const std::string& name) const = 0;
  /// By name.
  virtual Result<std::vector<ToldTarget>> targets() const = 0;
  /// Never goes back.
  virtual Result<void> set_told_up_to(const std::string& target, std::uint64_t sequence) = 0;
  /// nullopt: it can be told. Nothing happens when there is no such target.
  virtual Result<void> set_trouble(const std::string& target, const std::optional<Trouble>& trouble) = 0;
  /// Keeps the letter and moves the target on to it, in one transaction. Burying it again updates it.
  virtual Result<void> bury(const DeadLetter& letter) = 0;
  /// By target and sequence; an empty target: all.
  virtual Result<std::vector<DeadLetter>> dead_letters(const std::string& target) const = 0;
  /// Marks a target's letters (empty: all) to be sent again, and has the next try of a target in trouble be now; gives
  /// how many letters.
  virtual Result<std::uint64_t> make_due(const std::string& target, Timestamp now) = 0;
  virtual Result<void> remove(const std::string& target, std::uint64_t sequence) = 0;
};

/// One message, ready to be sent.
struct Message {
  enum class Kind : std::uint8_t { kHttp, kMail };
  Kind kind = Kind::kHttp;
  std::string url;  ///< http(s)://...; kMail: smtp(s)://HOST[:PORT]
  std::string method = "POST";
  std::vector<std::string> headers;  ///< "Name: value"
  std::string body;                  ///< kMail: the whole message, headers too.
  std::string from;                  ///< kMail: addresses only.
  std::vector<std::string> to;
  std::string user;
  std::string password;
  milliseconds timeout{10'000};  ///< For everything.
  std::stop_token stop{};        ///< Ends it before that.
};

struct Sent {
  int status = 0;    ///< HTTP's, or the mail server's last.
  std::string body;  ///< The first 64 KiB.
  // Of HTTP's header fields, when they are there and can be read:
  std::optional<seconds> retry_after{};                        ///< Retry-After, from now on; a date becomes that, too.
  std::optional<std::uint64_t> rate_limit_remaining{};         ///< X-RateLimit-Remaining
  std::optional<std::chrono::sys_seconds> rate_limit_reset{};  ///< X-RateLimit-Reset
};

class Messenger {
 public:
  virtual ~Messenger() = default;
  /// Any answer is a success, whatever its status; kUnavailable and kTimeout when there was none. Blocks. Thread-safe.
  virtual Result<Sent> send(const Message& message) const = 0;
};

}  // namespace backstay
