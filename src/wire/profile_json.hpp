#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "domain/drift/shared_categories.hpp"

namespace backstay::wire {

/// A profile as it is stored beside a version:
///
///   {"profile": "backstay-profile/4", "rows": 120, "left_out": 0, "columns": [
///     {"name": "age", "type": "integer", "missing": 2, "distinct": 61, "min": 18, "max": 93, "mean": 55.2,
///      "kinds": {"integers": 118, "numbers": 118},
///      "quantiles": {"k": 200, "levels": ["AAAAAAAAMkA...", "AAAAAACAOUA="]},
///      "categories": {"floor": 4, "entries": [["9f3a01bc", 40, 0]]},
///      "registers": "AAEC...",
///      "text": {"lengths": {...}, "scripts": {"latin": 80}, "words": [3, 0, ...]}}],
///    "pairs": {"columns": ["age", "dose"], "moments": [[0, 1, 117, 55.2, 3.1, 9100, 40, 310, 1, 61, 0.5, 0]]}}
///
/// A column of embeddings has, beside "nested" in kinds:
///
///   "vectors": {"dimension": 768, "count": 120, "others": 0, "projection": 1, "mean": [...], "products": [...],
///               "norms": {"k": 200, ...}, "sample": {"keys": "...", "points": "..."}}
///
/// Levels of quantiles are doubles, little-endian, in base 64; a tenth of the time of numbers as text to read.
/// drift::ProjectedMoments are in their order; keys and points are 64-bit integers and 16 floats each, little-endian.
/// Moments of a pair are the places of its columns in the list before them and the members of drift::PairMoments.
/// What is empty is left out. Of texts no value is written: categories are 32 bits of a hash, and only those that at
/// least drift::kLeastShared rows share; words are counts in 64 buckets. Of numbers the quantile sketch holds a sample
/// of at most 4,096 values. left_out counts columns that the rows had beyond those. Equal profiles give equal bytes.
/// Names are cut at 256 bytes.
/// Of `shared` categories fewer rows may be told, also none ([hash, 0, 0]) where the profile does not tell all others.
std::string to_json(const drift::Profile& profile, const drift::SharedCategories& shared = {});

/// Reads backstay-profile/4; /3, whose levels are lists of numbers; /2, whose sketches are coarser; and /1, of which
/// only counts and extremes are known. `name` is what errors call it.
Result<drift::Profile> profile_from_json(const std::string& name, std::string_view text);

}  // namespace backstay::wire
