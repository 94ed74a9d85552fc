#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

/// What lock files say about an environment, and how firmly it is pinned.
namespace backstay::wire {

/// pinned: every part is named by a digest. weak: by an exact version, whose content may still differ. unpinned: what
/// is installed depends on the day. Ordered: the least of several counts.
enum class Pinning { kUnpinned, kWeak, kPinned };
const char* to_string(Pinning pinning);

struct LockReport {
  Pinning pinning = Pinning::kPinned;
  std::map<std::string, std::string> packages;  ///< Normalised name (PEP 503) -> exact version.
  std::vector<std::string> findings;            ///< Why it is not pinned, each without the file's name; at most 20.
  std::set<std::string> includes;               ///< Files it refers to (-r, -c), as written.
  std::size_t more_findings = 0;

  void finding(Pinning at_most, std::string what);
  void package(std::string_view name, std::string version);
};

/// By the file's name: poetry.lock, uv.lock, conda-lock.yml, Dockerfile or Containerfile (and NAME.Dockerfile,
/// Dockerfile.NAME); every other .txt is a requirements file, as `pip freeze` and `uv pip compile` write them.
/// kUnsupported for other names, kInvalidArgument for what can't be parsed.
Result<LockReport> read_lock_file(const std::string& name, const std::string& text);

// Its parts, for tests and fuzzing.
LockReport read_requirements(std::string_view text);
LockReport read_dockerfile(std::string_view text);

/// PEP 503: lower case, runs of - _ . are one -.
std::string normalised_package(std::string_view name);

/// Whether an address in the text has a password: such a file must not be kept for ever.
bool holds_password(std::string_view text);

}  // namespace backstay::wire
