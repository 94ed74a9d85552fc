#include <string>

#include "fuzz/check.hpp"
#include "wire/lock_files.hpp"
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
  static_cast<void>(wire::holds_password(text));
  return 0;
}
