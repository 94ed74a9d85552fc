#pragma once

#include <cstdint>
#include <optional>
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
  Timestamp at;
  bool due = false;  ///< Someone wants it sent again.
};

/// How far a target has been told.
struct ToldTarget {
  std::string name;
  std::uint64_t told_up_to = 0;  ///< An audit entry's sequence.
  std::string trouble;           ///< Why the next message is being tried again; empty: none is.
};

/// Durable when a call returns; thread-safe. None of it is evidence: the audit log is.
class NotificationStore {
 public:
  virtual ~NotificationStore() = default;
  /// The audit entry up to which the target has been told; nullopt: it is new.
  virtual Result<std::optional<std::uint64_t>> told_up_to(const std::string& target) const = 0;
  virtual Result<void> set_told_up_to(const std::string& target, std::uint64_t sequence) = 0;
  /// What the last try of a message that is being tried again came to. Gone once the target is told or the letter
  /// buried. The target must have been told of something before.
  virtual Result<void> set_trouble(const std::string& target, const std::string& why) = 0;
  /// By name.
  virtual Result<std::vector<ToldTarget>> targets() const = 0;
  /// Keeps the letter and moves the target on to it, in one transaction. Burying it again updates it.
  virtual Result<void> bury(const DeadLetter& letter) = 0;
  /// By target and sequence; an empty target: all.
  virtual Result<std::vector<DeadLetter>> dead_letters(const std::string& target) const = 0;
  /// Marks a target's letters (empty: all) to be sent again; gives how many.
  virtual Result<std::uint64_t> make_due(const std::string& target) = 0;
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
};

struct Sent {
  int status = 0;    ///< HTTP's, or the mail server's last.
  std::string body;  ///< The first 64 KiB.
};

class Messenger {
 public:
  virtual ~Messenger() = default;
  /// Any answer is a success, whatever its status; kUnavailable and kTimeout when there was none. Blocks. Thread-safe.
  virtual Result<Sent> send(const Message& message) const = 0;
};

}  // namespace backstay
