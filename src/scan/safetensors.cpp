#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "scan/visit.hpp"

// github.com/huggingface/safetensors: 8 bytes of length, a JSON object that says where each tensor lies, the tensors.
// Nothing in it can run; what is checked is that no reader is led out of the file.
namespace backstay::scan {

namespace {

constexpr std::uint64_t kLargestHeader = 100'000'000;  // The format's own limit.

/// Collects the tensors' offsets while the header is read, without keeping it.
class Offsets : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  std::string wrong;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return !in_offsets_ || fail("an offset is negative"); }
  bool number_float(number_float_t, const string_t&) override {
    return !in_offsets_ || fail("an offset is no whole number");
  }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool number_unsigned(number_unsigned_t value) override {
    if (in_offsets_) numbers_.push_back(value);
    return numbers_.size() <= 2 || fail("a tensor has more than two offsets");
  }
  bool start_object(std::size_t) override { return ++depth_ <= 8 || fail("it is nested too deep"); }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return ++depth_ <= 8 || fail("it is nested too deep"); }
  bool end_array() override {
    --depth_;
    if (!in_offsets_) return true;
    in_offsets_ = false;
    if (numbers_.size() != 2 || numbers_[0] > numbers_[1]) return fail("a tensor ends before it begins");
    ranges.emplace_back(numbers_[0], numbers_[1]);
    return true;
  }
  bool key(string_t& name) override {
    in_offsets_ = depth_ == 2 && name == "data_offsets";
    numbers_.clear();
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return fail("it is no JSON");
  }

 private:
  bool fail(const char* what) {
    if (wrong.empty()) wrong = what;
    return false;
  }
  int depth_ = 0;
  bool in_offsets_ = false;
  std::vector<std::uint64_t> numbers_;
};

std::string check(Offsets& found, std::uint64_t data_bytes) {
  if (!found.wrong.empty()) return found.wrong;
  std::sort(found.ranges.begin(), found.ranges.end());
  std::uint64_t end = 0;
  for (const auto& [from, to] : found.ranges) {
    if (to > data_bytes) return "a tensor goes on beyond the end of the file";
    if (from < end) return "tensors overlap";
    if (from > end) return "there are bytes between the tensors";
    end = to;
  }
  return end < data_bytes ? "bytes follow the last tensor" : "";
}

}  // namespace

Result<void> scan_safetensors(Visit& visit, const ByteSource& bytes, const Place& place) {
  TRY(const std::string length, read_piece(bytes, 0, 8));
  const std::uint64_t size = length.size() == 8 ? little(length, 0, 8) : 0;
  if (size < 2 || size > kLargestHeader || size > bytes.size() - 8) {
    visit.add(place, Verdict::kSuspicious, "broken", "The safetensors header has no length that can be.");
    return {};
  }
  TRY(const std::string header, read_piece(bytes, 8, static_cast<std::size_t>(size)));
  Offsets found;
  nlohmann::json::sax_parse(header, &found);
  if (const std::string wrong = check(found, bytes.size() - 8 - size); !wrong.empty())
    visit.add(place, Verdict::kSuspicious, "broken", fmt::format("The safetensors header is wrong: {}.", wrong), 8);
  return {};
}

}  // namespace backstay::scan
