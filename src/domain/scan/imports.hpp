#pragma once

#include <string>
#include <string_view>

#include "domain/scan/report.hpp"

namespace backstay::scan {

/// What may be thought of a callable that a pickle imports, by its module and (maybe dotted) name. The names of Python
/// 2 are judged as what Python 3 loads for them.
struct Judgement {
  Verdict verdict = Verdict::kSuspicious;
  /// A harmless class as long as its instances are made without calling its constructor (NEWOBJ, copyreg).
  bool only_instances = false;
  const char* why = "";  ///< A clause: "runs commands".
};

/// Default deny: what isn't known is suspicious.
Judgement judge_import(std::string_view module, std::string_view name);

}  // namespace backstay::scan
