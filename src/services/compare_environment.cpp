#include "services/compare_environment.hpp"

#include <fmt/format.h>

#include "wire/lock_files.hpp"

namespace backstay::services {

namespace {

/// Lock files may name several versions for several platforms: "1.0, 1.1".
bool among(const std::string& list, const std::string& version) {
  return fmt::format(", {},", list).find(fmt::format(", {},", version)) != std::string::npos;
}

}  // namespace

Result<EnvironmentComparison> compare_environment(const registry::Environment& recorded, Machine& machine,
                                                  const std::filesystem::path& python) {
  EnvironmentComparison out;
  const auto compare = [&](const std::string& what, const std::string& was, const std::string& is) {
    if (was.empty()) return out.not_compared.push_back(what + ": the version does not say");
    if (among(was, is)) return out.same.push_back(what);
    out.differences.push_back({what, was, is});
  };
  compare("system", recorded.os, machine.os());
  compare("hardware", recorded.hardware, machine.hardware());
  if (python.empty()) {
    out.packages_unknown = !recorded.python.empty() || !recorded.frameworks.empty();
    if (out.packages_unknown) out.not_compared.emplace_back("python and packages: give --python, or --no-packages");
  } else {
    TRY(const PythonState state, machine.python(python));
    compare("python", recorded.python, state.version);
    for (const auto& [name, version] : recorded.frameworks) {
      const auto found = state.packages.find(wire::normalised_package(name));
      compare(name, version, found == state.packages.end() ? "" : found->second);
    }
  }
  if (!recorded.image.empty()) out.not_compared.emplace_back("image: a program in a container can't see its digest");
  return out;
}

}  // namespace backstay::services
