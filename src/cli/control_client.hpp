#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.hpp"

namespace backstay::cli {

/// Talks to the server that runs on a data directory; its address and token are in DATA_DIR/control/.
class ControlClient {
 public:
  static Result<ControlClient> of(const std::filesystem::path& data_dir);
  Result<nlohmann::json> get(const std::string& path) const;
  Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body) const;

 private:
  ControlClient(std::string address, std::string token) : address_(std::move(address)), token_(std::move(token)) {}
  Result<nlohmann::json> send(const std::string& path, const std::string* body) const;
  std::string address_;
  std::string token_;
};

}  // namespace backstay::cli
