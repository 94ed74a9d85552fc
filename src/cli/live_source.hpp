#pragma once

#include "cli/command.hpp"
#include "services/live_period.hpp"

namespace backstay::cli {

/// A moment ("2026-11-24T10:15:30Z", a day), or a duration before now ("2d").
Result<Timestamp> since_of(const std::string& text);

/// What the gateway kept of an endpoint's requests to a version.
Result<services::LivePeriod> period_of(OpenRegistry& opened, const std::string& endpoint,
                                       const registry::VersionRef& version, const std::string& segment,
                                       const std::optional<Timestamp>& since);

}  // namespace backstay::cli
