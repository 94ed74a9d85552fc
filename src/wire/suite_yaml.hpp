#pragma once

#include "base/result.hpp"
#include "domain/evaluation/suite.hpp"
#include "wire/document.hpp"

namespace backstay::wire {

/// An evaluation suite; docs/evaluating.md has every key.
///
///     name: breast-cancer
///     sets:
///       - name: held-out
///         files: [held_out.csv]
///         inputs: [{name: x, columns: [radius, texture]}]
///         output: {name: score, kind: score, threshold: 0.3}
///         label: malignant
///         classes: ["0", "1"]
///         groups: [site]
///         latency: {requests: 500}
Result<evaluation::Suite> suite_from(const Document& document);

/// The object `backend`, when there is one: how a version is served to who evaluates it or has it judge.
void read_backend_choice(Fields& fields, evaluation::BackendChoice& out);

}  // namespace backstay::wire
