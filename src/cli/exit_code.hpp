#pragma once

#include "base/result.hpp"

namespace backstay::cli {

/// What scripts can tell outcomes apart by; docs/cli.md lists them.
enum ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kNotFound = 3,
  kConflict = 4,
  kPrecondition = 5,
  kIntegrity = 6,
  kUnavailable = 7,
  kNoSpace = 8,
  kPermission = 9,
  kUnsupported = 10,
  kGateFailed = 20,
  kGateInsufficient = 21,
  kTimedOut = 124,
};

ExitCode exit_code(ErrorCode code);

}  // namespace backstay::cli
