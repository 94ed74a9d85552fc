#pragma once

#include <cstdint>
#include <vector>

#include "domain/evaluation/findings.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Measures parts on as many threads as `parallel` says, at most one for each: the metrics of all parts, in their
/// order, whatever the number of threads. `on_progress` (may be empty) counts parts, from one thread at a time; `what`
/// is that of which they are.
std::vector<registry::Metric> measure_parts(const std::vector<evaluation::MeasuredPart>& parts, std::uint64_t parallel,
                                            const std::string& what, const OnProgress& on_progress);

}  // namespace backstay::services
