#include <string_view>

#include "fuzz/check.hpp"
#include "wire/manifest_json.hpp"
#include "wire/rollout_json.hpp"

using namespace backstay;

/// What programs send and the store holds. A manifest's identity must not depend on how it was laid out.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto manifest = wire::manifest_from_json("f", text); manifest && registry::validate(*manifest)) {
    const std::string canonical = wire::to_canonical_json(*manifest);
    const auto again = wire::manifest_from_json("again", canonical);
    CHECK(again && *again == *manifest);
    CHECK(wire::to_canonical_json(*again) == canonical);
    static_cast<void>(registry::missing_parts(*manifest));
    CHECK(registry::diff(*manifest, *again).empty());
  }
  if (const auto state = wire::rollout_from_json(std::string(text)))
    CHECK(wire::rollout_from_json(wire::to_json(*state)).has_value());
  return 0;
}
