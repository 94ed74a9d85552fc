#include "capture/system_programs.hpp"

#include <unistd.h>

#include "capture/program.hpp"

extern char** environ;

namespace backstay::capture {

Result<std::string> SystemPrograms::run(const std::vector<std::string>& arguments,
                                        const std::filesystem::path& folder) {
  Command command;
  command.arguments = arguments;
  command.folder = folder;
  command.deadline = std::chrono::hours(1);
  for (char** variable = environ; *variable != nullptr; ++variable) command.environment.emplace_back(*variable);
  auto out = output_of(command);
  if (!out && out.error().hint.empty())
    out.error().hint = "What it printed says why; run the same command by hand to see all of it.";
  return out;
}

}  // namespace backstay::capture
