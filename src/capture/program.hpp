#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace backstay::capture {

/// A program to run to its end: no shell, no descriptor of ours, only the environment that is given ("NAME=value").
struct Command {
  std::vector<std::string> arguments;  ///< [0] is looked up in PATH.
  std::vector<std::string> environment;
  std::filesystem::path folder;  ///< Where it runs; empty: here.
  std::string input;             ///< Its standard input.
  std::chrono::seconds deadline{120};
  std::size_t max_output_bytes = 16 * 1024 * 1024;
};

struct Finished {
  int status = 0;      ///< Exit status, or 128 + signal.
  std::string errors;  ///< The beginning of its standard error, at most 4 KiB.
};

/// Feeds standard output to `sink` as it comes. kNotFound when there is no such program; kTimeout and
/// kResourceExhausted kill it. An exit status other than 0 is no error here.
Result<Finished> run_program(const Command& command,
                             const std::function<Result<void>(std::span<const std::byte>)>& sink);

/// The whole output of a program that must exit with 0.
Result<std::string> output_of(const Command& command);

}  // namespace backstay::capture
