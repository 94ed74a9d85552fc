#pragma once

#include "base/result.hpp"

namespace backstay::cli {

/// What scripts can tell outcomes apart by; docs/cli.md lists them.
enum ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kNotFound = 3,
  kPermission = 4,
  kConflict = 5,
  kGateFailed = 6,
  kGateInsufficient = 8,
  kIntegrity = 9,
  kPrecondition = 10,
  kUnavailable = 11,
  kNoSpace = 12,
  kUnsupported = 13,
  kTimedOut = 124,
};

ExitCode exit_code(ErrorCode code);

}  // namespace backstay::cli
