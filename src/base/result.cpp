#include "base/result.hpp"

#include <cerrno>
#include <system_error>

namespace backstay {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kConflict: return "conflict";
    case ErrorCode::kFailedPrecondition: return "failed_precondition";
    case ErrorCode::kIntegrity: return "integrity";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kResourceExhausted: return "resource_exhausted";
    case ErrorCode::kPermissionDenied: return "permission_denied";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

Error error_from_errno(int error_number, const std::string& what) {
  Error error{ErrorCode::kInternal, what + ": " + std::generic_category().message(error_number) + ".",
              "The system refused it; its log (dmesg) may say more."};
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      error.code = ErrorCode::kNotFound;
      error.hint = "Check the path.";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      error.code = ErrorCode::kPermissionDenied;
      error.hint = "Check who owns it and what its permissions are.";
      break;
    case ENOSPC:
    case EDQUOT:
      error.code = ErrorCode::kResourceExhausted;
      error.hint = "Free some space on that disk and run the same command again; nothing half done was left behind.";
      break;
    case EFBIG:
      error.code = ErrorCode::kResourceExhausted;
      error.hint =
          "The file system or a limit (ulimit -f) leaves no space for a file of this size: raise it, then try again.";
      break;
    case EMFILE:
    case ENFILE:
      error.code = ErrorCode::kResourceExhausted;
      error.hint = "Raise the limit of open files (ulimit -n).";
      break;
    case EADDRINUSE:
      error.code = ErrorCode::kUnavailable;
      error.hint = "Another program listens there: stop it, or choose another address.";
      break;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
      error.code = ErrorCode::kUnavailable;
      error.hint = "See whether the other side runs and can be reached.";
      break;
    case ETIMEDOUT:
      error.code = ErrorCode::kTimeout;
      error.hint = "See whether the other side runs and can be reached.";
      break;
    default: break;
  }
  return error;
}

}  // namespace backstay
