#include "fuzz/check.hpp"
#include "storage/recordings/block.hpp"

using namespace backstay;

namespace {

std::size_t zeros(const std::vector<Observation>& observations) {
  std::size_t n = 0;
  for (const Observation& o : observations) n += o.outcome.status == 0 ? 1 : 0;
  return n;
}

}  // namespace

// What is read is what was written: encoding it again and reading that gives the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (bytes.size() >= recordings::kBlockHead) {
    const auto head = recordings::decode_head(bytes.first<recordings::kBlockHead>());
    if (head) CHECK(head->payload_bytes <= recordings::kMaxPayload);
  }
  static_cast<void>(recordings::decode_observations(bytes, 1));
  const auto observations = recordings::decode_observations(bytes);
  if (!observations) return 0;
  const std::string again = recordings::encode_observations(*observations);
  const auto back = recordings::decode_observations(std::as_bytes(std::span(again)).subspan(recordings::kBlockHead));
  CHECK(back && back->size() == observations->size() && zeros(*back) == zeros(*observations));
  CHECK(recordings::encode_observations(*back) == again);
  return 0;
}
