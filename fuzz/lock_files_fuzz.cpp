#include <string>

#include "fuzz/check.hpp"
#include "wire/lock_files.hpp"
#include "wire/locked_packages.hpp"
#include "wire/toml.hpp"

using namespace backstay;

/// Lock files of every kind, from whoever wrote the training code.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"requirements.txt", "poetry.lock", "uv.lock", "conda-lock.yml", "Dockerfile"}) {
    const auto report = wire::read_lock_file(name, text);
    if (!report) {
      CHECK(!report.error().message.empty());
      continue;
    }
    CHECK(report->findings.empty() == (report->pinning == wire::Pinning::kPinned));
    for (const auto& [package, version] : report->packages) CHECK(wire::normalised_package(package) == package);
  }
  for (const char* name : {"poetry.lock", "uv.lock", "conda-lock.yml"}) {
    const auto packages = wire::read_locked_packages(name, text);
    if (!packages) continue;
    // What is written for pip is what was read: one entry for each package, and nothing that means something else.
    const wire::LockReport again = wire::read_requirements(wire::requirements_of(*packages));
    CHECK(again.includes.empty());
    CHECK(again.pinning >= wire::Pinning::kWeak);
    CHECK(!packages->hashed() || again.pinning == wire::Pinning::kPinned);
    for (const wire::PipPackage& package : packages->pip)
      CHECK(again.packages.count(wire::normalised_package(package.name)) == 1 || package.version.size() > 200 ||
            package.name.size() > 200 || again.packages.size() >= 5000);
    for (const auto& [platform, lines] : packages->conda)
      for (const std::string& line : lines) CHECK(line.find_first_of(" \n\r") == std::string::npos);
  }
  static_cast<void>(wire::holds_password(text));
  return 0;
}
