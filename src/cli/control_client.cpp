#include "cli/control_client.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <fstream>

#include "api/json.hpp"

namespace backstay::cli {

using nlohmann::json;

namespace {

Result<std::string> first_line(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  if (std::getline(in, line)) return line;
  return Unexpected(ErrorCode::kUnavailable,
                    fmt::format("No server runs on {}.", path.parent_path().parent_path().string()),
                    "Start one with: backstay serve --config backstay.yaml, or name its --data-dir.");
}

ErrorCode code_of(const std::string& name) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    if (name == to_string(static_cast<ErrorCode>(code))) return static_cast<ErrorCode>(code);
  }
  return ErrorCode::kInternal;
}

}  // namespace

Result<ControlClient> ControlClient::of(const std::filesystem::path& data_dir) {
  TRY(std::string address, first_line(data_dir / "control" / "address"));
  TRY(std::string token, first_line(data_dir / "control" / "token"));
  return ControlClient(std::move(address), std::move(token));
}

Result<json> ControlClient::get(const std::string& path) const {
  return send(path, nullptr);
}

Result<json> ControlClient::post(const std::string& path, const json& body) const {
  const std::string text = api::dump(body);
  return send(path, &text);
}

Result<json> ControlClient::send(const std::string& path, const std::string* body) const {
  httplib::Client client(address_);
  client.set_connection_timeout(5);
  client.set_read_timeout(60);
  const httplib::Headers headers{{"Authorization", "Bearer " + token_}};
  const httplib::Result answer =
      body == nullptr ? client.Get(path, headers) : client.Post(path, headers, *body, "application/json");
  if (!answer)
    return Unexpected(ErrorCode::kUnavailable, fmt::format("The server at {} does not answer.", address_),
                      "See whether it still runs; start it with backstay serve.");
  json parsed = json::parse(answer->body, nullptr, false);
  if (answer->status >= 200 && answer->status < 300 && !parsed.is_discarded()) return parsed;
  if (!parsed.is_object())
    return Unexpected(ErrorCode::kInternal, fmt::format("The server answered {}.", answer->status),
                      "Use a backstay program of the server's version.");
  return Unexpected(code_of(parsed.value("code", "")), parsed.value("detail", "The server gave no reason."),
                    parsed.value("hint", ""));
}

}  // namespace backstay::cli
