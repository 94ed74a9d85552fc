#include "capture/linux_machine.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "capture/program.hpp"

namespace backstay::capture {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxLines = 200'000;
constexpr std::size_t kMaxPackages = 5000;

/// The values of lines like "KEY<separator>VALUE", trimmed of blanks and quotes.
std::vector<std::string> values_of(const fs::path& file, const std::string& key, char separator) {
  std::vector<std::string> out;
  std::ifstream in(file);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line) && ++count < kMaxLines;) {
    const std::size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    std::string name = line.substr(0, at);
    name.erase(name.find_last_not_of(" \t") + 1);
    if (name != key) continue;
    const std::size_t first = line.find_first_not_of(" \t\"'", at + 1);
    if (first == std::string::npos) continue;
    out.push_back(line.substr(first, line.find_last_not_of(" \t\"'\r") + 1 - first));
  }
  return out;
}

std::string first_of(const std::vector<std::string>& values) {
  return values.empty() ? "" : values.front();
}

// Names are normalised as PEP 503 says, so that they compare with those of lock files.
constexpr const char* kAsk = R"(
import importlib.metadata as m, json, platform, re
packages = {}
for d in m.distributions():
    name = d.metadata["Name"]
    if name: packages[re.sub(r"[-_.]+", "-", name).lower()] = d.version
print(json.dumps({"version": platform.python_version(), "packages": packages}))
)";

}  // namespace

std::string LinuxMachine::os() {
  std::string name = first_of(values_of(root_ / "etc/os-release", "PRETTY_NAME", '='));
  utsname kernel{};
  if (!name.empty() && uname(&kernel) == 0) name += fmt::format(", {}", kernel.machine);
  return name;
}

std::string LinuxMachine::hardware() {
  const std::vector<std::string> models = values_of(root_ / "proc/cpuinfo", "model name", ':');
  const std::size_t count = values_of(root_ / "proc/cpuinfo", "processor", ':').size();
  if (count == 0) return "";
  std::string text = fmt::format("{} x {}", count, models.empty() ? "CPU" : models.front());
  const std::string memory = first_of(values_of(root_ / "proc/meminfo", "MemTotal", ':'));
  double kib = 0;
  if (std::from_chars(memory.data(), memory.data() + memory.size(), kib).ec == std::errc{})
    text += fmt::format(", {} GiB", std::lround(kib / (1024.0 * 1024.0)));
  std::multiset<std::string> gpus;
  std::error_code failure;
  for (fs::directory_iterator entry(root_ / "proc/driver/nvidia/gpus", failure), end; !failure && entry != end;
       entry.increment(failure))
    gpus.insert(first_of(values_of(entry->path() / "information", "Model", ':')));
  for (auto gpu = gpus.begin(); gpu != gpus.end(); gpu = gpus.upper_bound(*gpu))
    text += fmt::format(", {} x {}", gpus.count(*gpu), *gpu);
  return text;
}

Result<PythonState> LinuxMachine::python(const fs::path& interpreter) {
  Command command;
  command.arguments = {interpreter.string(), "-I", "-c", kAsk};
  command.environment = {"LC_ALL=C.UTF-8"};
  for (const char* name : {"PATH", "HOME"})
    if (const char* value = std::getenv(name)) command.environment.push_back(fmt::format("{}={}", name, value));
  TRY(const std::string text, output_of(command));
  const auto answer = nlohmann::json::parse(text, nullptr, false);
  const auto wrong = [&] {
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} does not answer as Python 3.8 or later does.", interpreter.string()),
                      "Give the path of a Python interpreter, such as .venv/bin/python.");
  };
  if (!answer.is_object() || !answer.contains("version") || !answer["version"].is_string() ||
      !answer.contains("packages") || !answer["packages"].is_object() || answer["packages"].size() > kMaxPackages)
    return wrong();
  PythonState state;
  state.version = answer["version"].get<std::string>();
  for (const auto& [name, version] : answer["packages"].items()) {
    if (!version.is_string()) return wrong();
    state.packages[name] = version.get<std::string>();
  }
  return state;
}

}  // namespace backstay::capture
