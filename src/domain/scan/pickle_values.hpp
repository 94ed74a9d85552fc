#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "domain/scan/report.hpp"

/// What the symbolic pickle machine works with.
namespace backstay::scan {

struct Node;

struct Value {
  enum class Kind : std::uint8_t {
    kPlain,  ///< Data that can't be called and names nothing.
    kLost,   ///< Anything: what it was is beyond the limits or not knowable.
    kNone,
    kInt,       ///< `number` is its value.
    kText,      ///< `number` is its place in Texts.
    kImport,    ///< `number` is its place among the imports.
    kObject,    ///< What calling the import `number` returned.
    kComputed,  ///< What calling something else returned, or a persistent id stands for.
    kTuple,     ///< Short ones have a node.
    kDict,
  };
  Kind kind = Kind::kPlain;
  std::int64_t number = 0;
  std::shared_ptr<Node> node;
};

/// What more is known of a tuple, a dict or an object; shared by all that refer to it, as in Python. A dict holds no
/// dict and a tuple none either, so that there are no circles.
struct Node {
  std::vector<Value> items;      ///< A tuple's; a dict's keys and values in turn; an object's arguments.
  int depth = 0;                 ///< Of tuples within tuples.
  bool forgotten = false;        ///< A dict with more than is kept.
  int builds = 0;                ///< How often BUILD changed the object.
  bool odd_state = false;        ///< A dtype's state that isn't what NumPy writes.
  std::int64_t item_bytes = -1;  ///< Of a dtype's state.
  std::int64_t flags = 0;
  bool has_fields = false;
};

/// Different strings, each once, up to a limit.
class Texts {
 public:
  static constexpr std::size_t kLongest = 256;
  explicit Texts(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  Value add(const std::string& text);
  const std::string& at(const Value& value) const { return *by_id_[static_cast<std::size_t>(value.number)]; }
  bool is(const Value& value, std::string_view text) const {
    return value.kind == Value::Kind::kText && at(value) == text;
  }

 private:
  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, std::int64_t> ids_;
  std::vector<const std::string*> by_id_;
};

/// The memo, of which only what matters is kept; knows how many keys there are, because MEMOIZE counts them.
class Memo {
 public:
  explicit Memo(std::size_t most) : most_(most) {}
  /// False: more keys than can be counted.
  bool put(std::uint64_t key, Value value);
  bool memoize(Value value) { return put(next_ + scattered_.size(), std::move(value)); }
  /// None: there is no such key. Lost: it is too much to remember.
  std::optional<Value> get(std::uint64_t key) const;

 private:
  std::size_t most_;
  std::uint64_t next_ = 0;             ///< All keys below are used.
  std::set<std::uint64_t> scattered_;  ///< Used keys beyond.
  std::unordered_map<std::uint64_t, Value> values_;
  bool full_ = false;
};

/// A callable (or module attribute) that a stream imports.
struct Import {
  std::string module;
  std::string name;
  std::uint64_t offset = 0;
  const char* opcode = "";          ///< Which imported it.
  const char* called_by = nullptr;  ///< The first opcode that reaches it, and where.
  std::uint64_t called_at = 0;
  bool constructed = false;  ///< Called with arguments of the stream's choice, rather than made by __new__ alone.
  std::string full() const { return module + "." + name; }
};

/// Decodes what protocol 0 writes: 'quoted' text with backslashes; raw-unicode-escape.
std::string unquoted(std::string_view line);
std::string raw_unicode(std::string_view line);

}  // namespace backstay::scan
