#pragma once

#include <cstdint>
#include <filesystem>

#include "domain/evaluation/suite.hpp"
#include "domain/evaluation/tensor.hpp"
#include "domain/registry/scorecard.hpp"

namespace backstay::services {

/// "golden_mismatches": rows whose answers are not, bit by bit, what was recorded in the set's file `golden` of
/// `folder`. kInvalidArgument: the file is no record of this set's `rows` rows.
Result<registry::Metric> compare_with_golden(const evaluation::Set& set, const std::filesystem::path& folder,
                                             const evaluation::NamedTensor& output, std::uint64_t rows);

}  // namespace backstay::services
