#include "storage/recordings/block.hpp"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>

namespace backstay::recordings {

namespace {

static_assert(std::endian::native == std::endian::little, "Numbers are copied as they are.");

constexpr std::string_view kMagic = "BSR2";
constexpr std::string_view kFirstMagic = "BSR1";  ///< Without the last columns of each_column().
constexpr int kZstdLevel = 1;                     // On the thread that writes, beside the gateway's.

struct Flag {
  enum : std::uint8_t { kCandidate = 1, kReplayed = 2, kFallback = 4 };
};

std::uint8_t flags_of(const Observation& o) {
  return static_cast<std::uint8_t>((o.candidate ? Flag::kCandidate : 0) | (o.outcome.replayed ? Flag::kReplayed : 0) |
                                   (o.outcome.fallback ? Flag::kFallback : 0));
}

/// Calls `column` with each field in the file's order: a getter and a setter of a number. Differences of times are
/// small; they are taken in both directions by the same running value.
template <class Column>
void each_column(unsigned format, Column&& column) {
  using O = Observation;
  column([](const O& o) { return static_cast<std::uint8_t>(o.kind); },
         [](O& o, std::uint8_t v) { o.kind = static_cast<O::Kind>(v); });
  column([](const O& o) { return flags_of(o); },
         [](O& o, std::uint8_t v) {
           o.candidate = (v & Flag::kCandidate) != 0;
           o.outcome.replayed = (v & Flag::kReplayed) != 0;
           o.outcome.fallback = (v & Flag::kFallback) != 0;
         });
  column([](const O& o) { return static_cast<std::uint8_t>(o.outcome.role); },
         [](O& o, std::uint8_t v) { o.outcome.role = static_cast<traffic::Role>(v); });
  column([](const O& o) { return static_cast<std::uint8_t>(o.outcome.ending); },
         [](O& o, std::uint8_t v) { o.outcome.ending = static_cast<traffic::Ending>(v); });
  column([](const O& o) { return o.outcome.status; }, [](O& o, std::uint16_t v) { o.outcome.status = v; });
  column([](const O& o) { return o.outcome.candidate_ppm; },
         [](O& o, std::uint32_t v) { o.outcome.candidate_ppm = v; });
  column([](const O& o) { return o.outcome.latency_us; }, [](O& o, std::uint32_t v) { o.outcome.latency_us = v; });
  column([](const O& o) { return o.outcome.response_bytes; },
         [](O& o, std::uint32_t v) { o.outcome.response_bytes = v; });
  for (std::size_t slot = 0; slot < traffic::kMaxValues; ++slot)
    column([slot](const O& o) { return o.outcome.values[slot]; },
           [slot](O& o, float v) { o.outcome.values[slot] = v; });
  column([](const O& o) { return o.pi; }, [](O& o, double v) { o.pi = v; });
  column([](const O& o) { return o.kind == O::Kind::kReset ? static_cast<double>(o.epoch) : o.label; },
         [](O& o, double v) {
           o.label = v;
           // As far as there can be steps: what is in a file could be any number.
           if (o.kind == O::Kind::kReset && v >= 0 && v < 1e9) o.epoch = static_cast<std::size_t>(v);
         });
  column([](const O& o) { return o.outcome.prediction.high; },
         [](O& o, std::uint64_t v) { o.outcome.prediction.high = v; });
  column([](const O& o) { return o.outcome.prediction.low; },
         [](O& o, std::uint64_t v) { o.outcome.prediction.low = v; });
  column([](const O& o) { return o.outcome.cluster; }, [](O& o, std::uint64_t v) { o.outcome.cluster = v; });
  column(
      [last = std::int64_t{0}](const O& o) mutable {
        const std::int64_t now = o.outcome.at.time_since_epoch().count();
        return now - std::exchange(last, now);
      },
      [last = std::int64_t{0}](O& o, std::int64_t v) mutable {
        // Wraps for hostile input, as unsigned numbers may.
        last = static_cast<std::int64_t>(static_cast<std::uint64_t>(last) + static_cast<std::uint64_t>(v));
        o.outcome.at = Monotonic(nanoseconds(last));
      });
  column([](const O& o) { return static_cast<std::int64_t>(o.at.time_since_epoch().count()); },
         [](O& o, std::int64_t v) { o.at = Monotonic(nanoseconds(v)); });
  if (format < 2) return;
  column([](const O& o) { return o.outcome.first_byte_us; },
         [](O& o, std::uint32_t v) { o.outcome.first_byte_us = v; });
  column([](const O& o) { return o.examiner; }, [](O& o, std::uint8_t v) { o.examiner = v; });
}

template <class T>
void put(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(T));
  out.append(bytes.data(), bytes.size());
}

template <class T>
T get(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

/// The bytes of one observation in all columns.
std::size_t row_bytes(unsigned format) {
  std::size_t bytes = 0;
  const Observation none;
  each_column(format, [&](auto read, auto) mutable { bytes += sizeof(read(none)); });
  return bytes;
}

Unexpected damaged(const char* what) {
  return Unexpected(ErrorCode::kIntegrity, std::string("A block of the recording ") + what + ".",
                    "What was recorded up to there can still be replayed.");
}

bool in_range(const Observation& o) {
  return o.kind <= Observation::Kind::kRearm && o.outcome.role <= traffic::Role::kHoldback &&
         o.outcome.ending <= traffic::Ending::kClientAbandoned;
}

}  // namespace

std::string encode_block(BlockKind kind, std::string_view payload) {
  std::string out(kMagic);
  put(out, static_cast<std::uint8_t>(kind));
  out.append(3, '\0');
  put(out, static_cast<std::uint32_t>(payload.size()));
  put(out, static_cast<std::uint64_t>(XXH3_64bits(payload.data(), payload.size())));
  out.append(payload);
  return out;
}

std::string encode_observations(std::span<const Observation> observations) {
  std::string raw;
  raw.reserve(observations.size() * row_bytes(kFormat) + sizeof(std::uint32_t));
  put(raw, static_cast<std::uint32_t>(observations.size()));
  each_column(kFormat, [&](auto read, auto) {
    for (const Observation& observation : observations) put(raw, read(observation));
  });
  std::string packed(ZSTD_compressBound(raw.size()), '\0');
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), kZstdLevel);
  packed.resize(ZSTD_isError(size) != 0 ? 0 : size);  // Only without memory; such a block can't be read.
  return encode_block(BlockKind::kObservations, packed);
}

Result<BlockHead> decode_head(std::span<const std::byte, kBlockHead> bytes) {
  BlockHead head;
  const std::string_view magic(reinterpret_cast<const char*>(bytes.data()), kMagic.size());
  if (magic != kMagic && magic != kFirstMagic) return damaged("does not begin as one");
  head.format = magic == kMagic ? kFormat : 1;
  const auto kind = get<std::uint8_t>(bytes.data() + 4);
  head.payload_bytes = get<std::uint32_t>(bytes.data() + 8);
  head.checksum = get<std::uint64_t>(bytes.data() + 12);
  if (kind < 1 || kind > kLastKind) return damaged("is of no known kind");
  if (head.payload_bytes > kMaxPayload) return damaged("is longer than any");
  head.kind = static_cast<BlockKind>(kind);
  return head;
}

bool matches(const BlockHead& head, std::span<const std::byte> payload) {
  return payload.size() == head.payload_bytes && XXH3_64bits(payload.data(), payload.size()) == head.checksum;
}

Result<std::vector<Observation>> decode_observations(std::span<const std::byte> payload, unsigned format) {
  const std::size_t most = kMaxObservations * row_bytes(format) + sizeof(std::uint32_t);
  const unsigned long long size = ZSTD_getFrameContentSize(payload.data(), payload.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > most || size < sizeof(std::uint32_t))
    return damaged("has no size that it can have");
  std::vector<std::byte> raw(static_cast<std::size_t>(size));
  const std::size_t got = ZSTD_decompress(raw.data(), raw.size(), payload.data(), payload.size());
  if (ZSTD_isError(got) != 0 || got != raw.size()) return damaged("can't be unpacked");
  const std::size_t count = get<std::uint32_t>(raw.data());
  if (count > kMaxObservations || raw.size() != count * row_bytes(format) + sizeof(std::uint32_t))
    return damaged("has another length than it says");
  std::vector<Observation> out(count);
  const std::byte* at = raw.data() + sizeof(std::uint32_t);
  each_column(format, [&](auto read, auto write) {
    using T = decltype(read(out.front()));
    for (Observation& observation : out) {
      write(observation, get<T>(at));
      at += sizeof(T);
    }
  });
  if (!std::all_of(out.begin(), out.end(), in_range)) return damaged("holds what no program wrote");
  return out;
}

}  // namespace backstay::recordings
