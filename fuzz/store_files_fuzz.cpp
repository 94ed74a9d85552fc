#include <algorithm>
#include <string_view>

#include "fuzz/check.hpp"
#include "storage/local_blobs/formats.hpp"

using namespace backstay;
using namespace backstay::blobs;

namespace {

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The digest at the end is made right: else nothing behind it would ever be reached.
void try_recipe(std::span<const std::byte> body) {
  std::vector<std::byte> file(body.begin(), body.end());
  const Digest signature = sha256(text(body));
  const auto raw = std::as_bytes(std::span(signature.bytes));
  file.insert(file.end(), raw.begin(), raw.end());
  Digest blob;
  if (body.size() >= blob.bytes.size())
    std::copy_n(reinterpret_cast<const std::uint8_t*>(body.data()) + body.size() - blob.bytes.size(), blob.bytes.size(),
                blob.bytes.begin());
  const auto recipe = decode_recipe(file, blob);
  if (recipe) CHECK(encode(*recipe) == file);
}

void try_pack_index(std::span<const std::byte> body) {
  std::vector<std::byte> index(body.begin(), body.end());
  const Digest signature = sha256(text(body));
  const auto raw = std::as_bytes(std::span(signature.bytes));
  index.insert(index.end(), raw.begin(), raw.end());
  for (const char c : std::string_view("BSTPEND1")) index.push_back(static_cast<std::byte>(c));
  const auto places = decode_pack_index(index, index.size() + (1U << 20));
  if (places) CHECK(encode_pack_index(*places) == index);
}

void try_chunk(std::span<const std::byte> stored) {
  Place place;
  place.codec = Codec::kZstd;
  place.stored = static_cast<std::uint32_t>(stored.size());
  place.length = 4096;
  std::vector<std::byte> into;
  if (unpack_chunk(place, stored, into)) CHECK(into.size() == place.length);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try_recipe(bytes);
  try_pack_index(bytes);
  try_chunk(bytes);
  return 0;
}
