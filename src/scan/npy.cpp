#include <algorithm>
#include <string>

#include "scan/visit.hpp"

// numpy/lib/format.py: magic, version, the header's length, the header (a Python literal), then the bytes of the array,
// or a pickle when its type holds objects.
namespace backstay::scan {

namespace {

constexpr std::size_t kLargestHeader = 1U << 20;

/// Where the header begins and ends; false when there is none.
bool header_of(std::string_view head, std::size_t& begin, std::size_t& end) {
  if (head.size() < 12) return false;
  const std::size_t width = head[6] == 1 ? 2 : 4;
  begin = 8 + width;
  const std::uint64_t length = little(head, 8, width);
  if (length > kLargestHeader) return false;
  end = begin + static_cast<std::size_t>(length);
  return true;
}

/// Whether a type that is quoted in the header could hold objects. Names of fields are quoted, too: better one too
/// many, because what isn't a pickle isn't taken for one.
bool may_hold_objects(std::string_view header) {
  std::size_t at = 0;
  while ((at = header.find_first_of("'\"", at)) != std::string_view::npos) {
    const std::size_t end = header.find(header[at], at + 1);
    if (end == std::string_view::npos) return true;
    const std::string_view quoted = header.substr(at + 1, end - at - 1);
    const bool of_header = quoted == "descr" || quoted == "fortran_order" || quoted == "shape";
    if (!of_header && (quoted.find('O') != std::string_view::npos || quoted.find("object") != std::string_view::npos ||
                       quoted.find('\\') != std::string_view::npos))
      return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

bool npy_has_objects(std::string_view head) {
  std::size_t begin = 0;
  std::size_t end = 0;
  if (!header_of(head, begin, end) || end > head.size()) return true;
  return may_hold_objects(head.substr(begin, end - begin));
}

Result<void> scan_npy(Visit& visit, const ByteSource& bytes, const Place& place) {
  std::size_t begin = 0;
  std::size_t end = 0;
  TRY(std::string head, read_piece(bytes, 0, 64));
  if (!header_of(head, begin, end) || end > bytes.size()) {
    visit.add(place, Verdict::kSuspicious, "broken", "The header of a NumPy array is damaged or too large.");
    return {};
  }
  TRY(head, read_piece(bytes, begin, end - begin));
  if (!may_hold_objects(head)) return {};
  Place objects = place.member("objects");
  objects.depth = place.depth;
  const SliceSource body(bytes, end, bytes.size());
  TRY(head, read_piece(body, 0, 64));
  return visit.look_pickle(body, objects, head);
}

}  // namespace backstay::scan
