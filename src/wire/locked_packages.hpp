#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

/// The packages of lock files that are a project's (poetry.lock, uv.lock, conda-lock.yml), as pip and conda can install
/// them without the project.
namespace backstay::wire {

/// One package for pip. Every text in it was checked: it can stand in a requirements file and means nothing else there.
struct PipPackage {
  std::string name;
  std::string version;
  std::string marker;             ///< PEP 508: where it is installed. Empty: everywhere.
  std::set<std::string> sha256s;  ///< In hex, of its files; one of them is what is installed. Empty: not all are known.
};

struct LockedPackages {
  std::vector<PipPackage> pip;
  /// By platform ("linux-64"): lines URL#sha256:HEX (or #MD5) for a conda explicit specification.
  std::map<std::string, std::vector<std::string>> conda;
  std::map<std::string, std::string> conda_python;  ///< By platform: the version of its package "python".
  std::set<std::string> indexes;                    ///< Package indexes other than PyPI that pip needs.
  std::vector<std::string> left_out;        ///< "NAME (why)" of each of pip's that can't be installed from here.
  std::vector<std::string> conda_left_out;  ///< The same of conda's.

  /// Whether pip can check the content of each package that it installs.
  bool hashed() const;
};

/// By the file's name, as read_lock_file() tells them; nothing for files that are not a project's lock.
Result<LockedPackages> read_locked_packages(const std::string& name, const std::string& text);

/// Whether read_locked_packages() knows such a file.
bool is_project_lock(std::string_view name);

/// A requirements file for `pip install --no-deps -r`; with hashes when every package has them.
std::string requirements_of(const LockedPackages& packages);

/// An explicit specification for `micromamba create --file` (conda from 24.9 reads it, too).
std::string explicit_spec_of(const std::string& platform, const std::vector<std::string>& lines);

/// PEP 508 and PEP 440, as far as it matters that nothing else can be meant.
bool is_package_name(std::string_view text);
bool is_package_version(std::string_view text);

}  // namespace backstay::wire
