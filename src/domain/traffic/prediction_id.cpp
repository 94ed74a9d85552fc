#include "domain/traffic/prediction_id.hpp"

#include <charconv>
#include <utility>

namespace backstay::traffic {

namespace {

bool read(std::string_view part, std::uint64_t& out) {
  const auto parsed = std::from_chars(part.data(), part.data() + part.size(), out, 16);
  return parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
}

void append_word(std::uint64_t word, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out.push_back(kDigits[(word >> shift) & 15]);
}

}  // namespace

Result<PredictionId> PredictionId::parse(std::string_view hex) {
  PredictionId id;
  if (hex.size() == 32 && read(hex.substr(0, 16), id.high) && read(hex.substr(16), id.low)) {
    if ((id.high & kRandomFirst) != 0) std::swap(id.high, id.low);
    return id;
  }
  return Unexpected(ErrorCode::kInvalidArgument, "'" + std::string(hex.substr(0, 64)) + "' is no prediction id.",
                    "Send the 32 hex digits of the Backstay-Prediction-Id header.");
}

void PredictionId::append_hex(std::string& out) const {
  const bool random_first = (low & kRandomFirst) != 0;
  append_word(random_first ? low : high, out);
  append_word(random_first ? high : low, out);
}

}  // namespace backstay::traffic
