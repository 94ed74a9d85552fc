#include <cmath>
#include <cstdint>
#include <string_view>

#include "domain/drift/comparison.hpp"
#include "domain/drift/mixture.hpp"
#include "fuzz/check.hpp"
#include "wire/profile_json.hpp"

using namespace backstay;

/// Profiles as the store holds them and strangers may send them: what is read is written and read again as the same,
/// merges, and is compared without a fault.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto profile = wire::profile_from_json("f", text);
  if (!profile) return 0;
  const std::string written = wire::to_json(*profile);
  const auto again = wire::profile_from_json("again", written);
  CHECK(again);
  CHECK(wire::to_json(*again) == written);
  const drift::Comparison same = drift::compare(*profile, *again, {});
  CHECK(same.columns.size() == profile->columns.size());
  for (const drift::ColumnDrift& column : same.columns) CHECK(column.p_value >= 0 && column.p_value <= 1);
  for (const drift::PairDrift& pair : same.pairs)
    CHECK(pair.p_value == 1 && !pair.drifted && std::abs(pair.training) <= 1);
  static_cast<void>(drift::fit_mixture({&*profile, &*again}, *profile, 1, 1));
  const std::uint64_t rows = profile->rows;
  profile->merge(*again);
  CHECK(profile->rows == 2 * rows);
  CHECK(wire::profile_from_json("merged", wire::to_json(*profile)) || profile->rows > (1ULL << 52));
  return 0;
}
