#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "domain/audit/entry.hpp"
#include "monitor/status.hpp"
#include "ports/ledger.hpp"

/// What the control API answers with, as JSON. The command line prints the same with --json.
namespace backstay::api {

nlohmann::json to_json(const StoredVersion& version);
nlohmann::json to_json(const audit::Entry& entry);
nlohmann::json to_json(const monitor::Status& status);
nlohmann::json to_json(const rollout::State& state);

/// Text that is never refused: what is not UTF-8 becomes U+FFFD.
std::string dump(const nlohmann::json& value, int indent = -1);

/// RFC 9457 problem details, with `code` (base/result.hpp) and `hint` beside.
nlohmann::json problem(const Error& error, int http_status);
int http_status(ErrorCode code);

}  // namespace backstay::api
