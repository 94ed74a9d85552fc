#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "domain/scan/pickle_machine.hpp"

// joblib.dump() writes a NumpyArrayWrapper in place of each array, and the array's bytes right after the BUILD that
// gives the wrapper its state (joblib/numpy_pickle.py, write_array). What is skipped here must be what joblib.load()
// skips, to the byte: so everything but the one way joblib itself writes a wrapper ends the walk as dangerous.
namespace backstay::scan {

namespace {

constexpr int kDeepest = 16;

/// Bytes of one item by NumPy's short names: "f8", "U5", "V16"; -1 when it isn't one. `objects`: it is a pointer.
std::int64_t item_bytes(const std::string& name, bool& objects) {
  std::size_t at = 0;
  while (at < name.size() && (name[at] == '<' || name[at] == '>' || name[at] == '|' || name[at] == '=')) ++at;
  if (at >= name.size()) return -1;
  const char kind = name[at++];
  std::int64_t count = 0;
  const auto end = std::from_chars(name.data() + at, name.data() + name.size(), count);
  if (end.ec != std::errc() || end.ptr != name.data() + name.size() || count < 0 || count > (1 << 30)) return -1;
  objects = kind == 'O';
  if (kind == 'U') return count * 4;
  return std::string("biufcSaVMmO").find(kind) == std::string::npos ? -1 : count;
}

}  // namespace

// numpy/core/src/multiarray/descriptor.c, arraydescr_reduce: (version, order, subdtype, names, fields, itemsize,
// alignment, flags[, metadata]).
void PickleMachine::set_dtype_state(Node& dtype, const Value& state) {
  constexpr std::int64_t kHasObject = 1;
  const bool known = state.kind == Kind::kTuple && state.node &&
                     (state.node->items.size() == 8 || state.node->items.size() == 9) && dtype.builds == 1;
  if (!known) {
    dtype.odd_state = true;
    return;
  }
  const std::vector<Value>& items = state.node->items;
  if (items[2].kind != Kind::kNone || items[5].kind != Kind::kInt || items[7].kind != Kind::kInt) {
    dtype.odd_state = true;
    return;
  }
  dtype.item_bytes = items[5].number;
  dtype.flags = items[7].number;
  dtype.has_fields = items[4].kind != Kind::kNone;
  if (dtype.has_fields && (dtype.flags & kHasObject) == 0) facts_.plain_records = true;
}

bool PickleMachine::array_bytes(const Node& state, std::uint64_t& bytes, bool& objects, bool& padded) {
  const Value* shape = nullptr;
  const Value* dtype = nullptr;
  const Value* alignment = nullptr;
  for (std::size_t i = 0; i + 1 < state.items.size(); i += 2) {
    for (const auto& [name, where] :
         {std::pair{"shape", &shape}, {"dtype", &dtype}, {"numpy_array_alignment_bytes", &alignment}}) {
      if (!facts_.texts.is(state.items[i], name)) continue;
      if (*where != nullptr) return false;
      *where = &state.items[i + 1];
    }
    if (state.items[i].kind != Kind::kText) return false;
  }
  if (shape == nullptr || dtype == nullptr || shape->kind != Kind::kTuple || !shape->node) return false;
  if (dtype->kind != Kind::kObject || !dtype->node || dtype->node->odd_state || dtype->node->items.empty())
    return false;
  const Import& of = facts_.imports[static_cast<std::size_t>(dtype->number)];
  if (of.module != "numpy" || of.name != "dtype" || dtype->node->items[0].kind != Kind::kText) return false;
  if (alignment != nullptr && alignment->kind != Kind::kInt && alignment->kind != Kind::kNone) return false;
  padded = alignment != nullptr && alignment->kind == Kind::kInt;

  std::int64_t item = item_bytes(facts_.texts.at(dtype->node->items[0]), objects);
  if (item < 0) return false;
  objects = objects || (dtype->node->flags & 1) != 0;
  if (dtype->node->item_bytes >= 0) item = dtype->node->item_bytes;
  bytes = static_cast<std::uint64_t>(item);
  for (const Value& size : shape->node->items) {
    if (size.kind != Kind::kInt || size.number < 0) return false;
    const auto count = static_cast<std::uint64_t>(size.number);
    if (count != 0 && bytes > std::numeric_limits<std::uint64_t>::max() / count) return false;
    bytes *= count;
  }
  return true;
}

bool PickleMachine::read_array(const Value& wrapper, const Value& state) {
  std::uint64_t bytes = 0;
  bool objects = false;
  bool padded = false;
  const bool constructed = facts_.imports[static_cast<std::size_t>(wrapper.number)].constructed;
  const bool exact = wrapper.node->builds == 1 && !constructed && !facts_.untracked && state.kind == Kind::kDict &&
                     state.node && !state.node->forgotten && array_bytes(*state.node, bytes, objects, padded);
  const bool inside_frame = frame_end_ > in_.position();
  if (!exact || inside_frame || depth_ >= kDeepest) {
    report(Verdict::kDangerous, "broken",
           "An array of joblib is described as joblib doesn't, so that what is array and what is code can't be told.");
    return false;
  }
  if (objects) {
    PickleMachine inner(in_, options_, facts_, depth_ + 1);
    return inner.run();
  }
  std::uint8_t padding = 0;
  if ((padded && (!in_.byte(padding) || !in_.skip(padding))) || !in_.skip(bytes)) {
    problem("it ends within an array");
    return false;
  }
  return true;
}

}  // namespace backstay::scan
