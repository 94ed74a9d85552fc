#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace backstay {

/// What kind of failure an Error is. Callers branch on this, never on the message. api/ maps it to an HTTP status and
/// cli/ to an exit code, each in one function.
enum class ErrorCode {
  kInvalidArgument,     ///< The input is wrong whatever the state is: a bad name, broken JSON, an unknown key.
  kNotFound,            ///< The named model, version, endpoint, rollout or file does not exist.
  kConflict,            ///< The state says no: a used version with other content, a second rollout on one endpoint.
  kFailedPrecondition,  ///< Something must be done first: a gate must pass, a corner of the golden triangle must be
                        ///< filled.
  kIntegrity,           ///< Stored bytes are not what was recorded: digest mismatch, broken audit chain.
  kUnavailable,         ///< A backend, port or server cannot be reached now; trying again may help.
  kTimeout,             ///< A deadline passed.
  kResourceExhausted,   ///< Disk full, too many open files, a limit reached.
  kPermissionDenied,    ///< The caller or the process may not do this.
  kUnsupported,         ///< Understood and refused: an operator the worker lacks, a database from a newer version.
  kInternal,            ///< A bug or a failure of the system that none of the above names.
};

/// The code's name as it appears in JSON ("conflict", "not_found", ...).
const char* to_string(ErrorCode code);

/// An expected failure. `message` says what was wrong, `hint` (may be empty) what to do about it; both are full
/// sentences for a person and hold no secret.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string hint;

  /// The same failure with "context: " before its message.
  Error within(const std::string& context) && {
    message = context + ": " + message;
    return std::move(*this);
  }
};

/// kInternal..kResourceExhausted chosen from an errno value; the message is "<what>: <strerror>.". What means that
/// there is no space (ENOSPC, EDQUOT, EFBIG) becomes kResourceExhausted. There is always a hint.
Error error_from_errno(int error_number, const std::string& what);

/// Wraps an Error on its way into a Result, as std::unexpected does for std::expected.
struct Unexpected {
  Error error;
  explicit Unexpected(Error e) : error(std::move(e)) {}
  Unexpected(ErrorCode code, std::string message, std::string hint = {})
      : error{code, std::move(message), std::move(hint)} {}
};

/// A value or an Error; spelled like C++23's std::expected<T, Error>. Reading value() of a failure is a bug and aborts.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Unexpected failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Unexpected failure) : error_(std::move(failure.error)) {}

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

#define BACKSTAY_CONCAT_INNER(a, b) a##b
#define BACKSTAY_CONCAT(a, b) BACKSTAY_CONCAT_INNER(a, b)

/// TRY(auto x, f()): declares x from the value of f(), or returns f()'s error from the enclosing function.
#define TRY(declaration, expression) TRY_NAMED(BACKSTAY_CONCAT(try_result_, __LINE__), declaration, expression)
#define TRY_NAMED(name, declaration, expression)                     \
  auto name = (expression);                                          \
  if (!name) return ::backstay::Unexpected(std::move(name).error()); \
  declaration = *std::move(name)

/// TRY_DO(f()): returns f()'s error from the enclosing function; for Result<void> and for values not wanted.
#define TRY_DO(expression)                                             \
  do {                                                                 \
    if (auto try_do_result = (expression); !try_do_result)             \
      return ::backstay::Unexpected(std::move(try_do_result).error()); \
  } while (false)

}  // namespace backstay
