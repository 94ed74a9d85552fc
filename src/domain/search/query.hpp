#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/registry/semantic_version.hpp"

/// The filter language for versions (docs/search.md):
///
///     accuracy > 0.95 AND data.slice = "2025-08/zip-100*" AND stage != Archived ORDER BY created DESC
///
/// Logic has two values: a comparison holds when one of the field's values fulfils it, a version without the field
/// fulfils none, and `a != b` is `NOT a = b`.
namespace backstay::search {

/// What a comparison is about.
struct Field {
  enum class Kind {
    kModel,
    kVersion,  ///< Compared by the rules of Semantic Versioning.
    kOrdinal,
    kStage,
    kAlias,  ///< Names the version has now.
    kCreated,
    kRegisteredBy,
    kComplete,
    kIdentity,
    kChangelog,  ///< By words only.
    kText,       ///< A fact of the manifest, by `name`: "data.slice", "code.commit", ...
    kScalar,     ///< "config.lr": a number when it is compared with one, else a text.
    kRelease,    ///< "environment.torch", "dependency.patients": ordered as version numbers are, loosely.
    kMetric,     ///< `name` of `group`: the newest measurement.
    kVerdict,    ///< The newest verdict of the gate `name`.
  };
  Kind kind = Kind::kModel;
  std::string name;
  std::string group;
  bool operator==(const Field&) const = default;
};

/// A text in which anything may stand between two parts: `a*b` has the parts "a" and "b". One part: that text exactly.
struct Text {
  std::vector<std::string> parts;
  bool exact() const { return parts.size() == 1; }
  bool operator==(const Text&) const = default;
};
/// "2025-08-01" is its whole day, a full time its microsecond: [begin, end).
struct Period {
  Timestamp begin;
  Timestamp end;
  bool operator==(const Period&) const = default;
};
/// "-7d": that long before the search began.
struct Ago {
  milliseconds before{0};
  bool operator==(const Ago&) const = default;
};
using Value = std::variant<double, Text, Period, Ago, registry::SemanticVersion, bool>;

/// One word of a full-text search, in lower case; with `prefix` any word that begins with it.
struct Word {
  std::string text;
  bool prefix = false;
  bool operator==(const Word&) const = default;
};

enum class Comparison {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kLike,  ///< As kEqual, but ASCII letters of either case are the same.
};

struct Node {
  enum class Kind {
    kAll,      ///< No condition: every version.
    kAnd,      ///< children
    kOr,       ///< children
    kNot,      ///< children[0]
    kCompare,  ///< field comparison values[0]
    kIn,       ///< field = one of values
    kHas,      ///< The field has a value.
    kWords,    ///< All of `words` are in the changelog; as a `phrase` in this order, side by side.
  };
  Kind kind = Kind::kAll;
  std::vector<Node> children;
  Field field;
  Comparison comparison = Comparison::kEqual;
  std::vector<Value> values;
  std::vector<Word> words;
  bool phrase = false;
  bool operator==(const Node&) const = default;
};

/// Versions that are equal by `by` are in the order in which they were registered. Versions without a value come last.
struct Order {
  Field by{Field::Kind::kCreated, {}, {}};  ///< kModel, kVersion, kOrdinal, kCreated or kMetric.
  bool descending = true;
  bool operator==(const Order&) const = default;
};

struct Query {
  Node where;
  Order order;
  bool operator==(const Query&) const = default;
};

constexpr std::size_t kMaxFilterBytes = 8192;
constexpr std::size_t kMaxLiteralBytes = 1024;
constexpr std::size_t kMaxTerms = 100;  ///< Comparisons, and values of an IN list.
constexpr int kMaxDepth = 32;           ///< Of parentheses and NOTs.
constexpr std::size_t kMaxStars = 8;    ///< In one text.

/// An empty text is every version, newest first. Errors are kInvalidArgument, say at which character, and name the
/// field or word that was probably meant.
Result<Query> parse(std::string_view text);

/// The query's canonical text: parse(print(q)) == q for every q that parse returned.
std::string print(const Query& query);

/// The words of a text as full-text search sees them: runs of ASCII letters and digits and of what is not ASCII,
/// ASCII letters in lower case.
std::vector<std::string> words_of(std::string_view text);

}  // namespace backstay::search
