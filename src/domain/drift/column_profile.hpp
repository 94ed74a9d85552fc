#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/drift/category_sketch.hpp"
#include "domain/drift/frequent_texts.hpp"
#include "domain/drift/pair_profile.hpp"
#include "domain/drift/quantile_sketch.hpp"
#include "domain/drift/row_block.hpp"
#include "domain/drift/value_hash.hpp"
#include "domain/drift/vector_profile.hpp"

namespace backstay::drift {

/// Writing systems that texts are told apart by, by their letters: a guess at the language that needs no dictionary.
enum class Script : std::uint8_t {
  kNone,  ///< No letters.
  kLatin,
  kGreek,
  kCyrillic,
  kHebrew,
  kArabic,
  kIndic,
  kThai,
  kHangul,
  kKana,
  kHan,
  kOther
};
constexpr std::size_t kScripts = 12;
const char* to_string(Script script);

/// That of most letters of a text; Japanese counts as kana when it has any.
Script script_of(std::string_view utf8);

/// Free text in numbers. Of its words only how many fall into each of 64 buckets by their hash is kept, so that no word
/// can be read off it.
struct TextProfile {
  static constexpr std::size_t kWordBuckets = 64;
  QuantileSketch lengths;  ///< Code points.
  std::array<std::uint64_t, kScripts> scripts{};
  std::array<std::uint64_t, kWordBuckets> words{};

  void add(std::string_view utf8, std::uint64_t times = 1);
  void merge(const TextProfile& other);
  std::uint64_t word_count() const;
};

/// What the values of one column look like. All of it merges. A plain value. Not thread-safe.
struct ColumnProfile {
  /// A column of numbers with more different values than this is told by its quantiles alone.
  static constexpr std::size_t kMaxNumberCategories = 32;

  std::uint64_t missing = 0, integers = 0, numbers = 0, booleans = 0, texts = 0, nested = 0;
  double min = 0, max = 0;             ///< Of the numbers; 0 when there are none.
  double sum = 0, sum_rest = 0;        ///< Compensated summation (Knuth's TwoSum).
  QuantileSketch quantiles;            ///< Of the numbers.
  CategorySketch categories;           ///< Of numbers (unless there are many), booleans and texts.
  bool many_numbers = false;           ///< More than kMaxNumberCategories.
  DistinctCounter distinct_values;     ///< Of numbers, booleans and texts.
  std::uint64_t distinct_counted = 0;  ///< As a stored profile says; 0: not known.
  TextProfile text;
  VectorProfile vectors;  ///< Of nested values that are lists of numbers.

  explicit ColumnProfile(Resolution resolution = QuantileSketch::kUsual) : quantiles(resolution), vectors(resolution) {}

  void add_missing() { ++missing; }
  void add_number(double number, bool integer) { add_numbers(std::span(&number, 1), integer ? 1 : 0); }
  void add_boolean(bool value);
  void add_text(std::string_view utf8) {
    ++texts;
    sketch_text(utf8, hash_of_text(utf8), 1);
  }
  /// `vector`: its numbers, when it is a list of them and nothing else.
  void add_nested(std::span<const double> vector = {}) {
    ++nested;
    vectors.add(vector);
  }
  /// The values of one of the block's columns. Rows that lack one are not counted: whoever knows all rows does that.
  /// Texts that are in `frequent` then are counted; sketches know of them when they are added.
  void add(const RowBlock& block, const RowBlock::Column& values, FrequentTexts& frequent);
  void add(const FrequentTexts& frequent);
  void merge(const ColumnProfile& other);

  std::uint64_t present() const { return numbers + booleans + texts + nested; }
  std::uint64_t rows() const { return present() + missing; }
  double mean() const;
  std::uint64_t distinct() const;
  /// "integer", "number", "boolean", "text", "vector", "nested"; "mixed" when there are several, "empty" when all are
  /// missing.
  const char* type() const;

 private:
  /// At most RowBlock::kRows of them.
  void add_numbers(std::span<const double> values, std::uint64_t integers);
  void sketch_text(std::string_view utf8, std::uint64_t hash, std::uint64_t times);
  void add_texts(const RowBlock& block, const RowBlock::Column& values, FrequentTexts& frequent);
  void add_category(std::uint64_t hash, std::uint64_t times);
};

/// A category that fewer rows have than this is never written down, so that a profile can't be asked for a person.
constexpr std::uint64_t kLeastShared = 5;

/// A column's name as profiles keep it: at most 256 bytes, cut between code points.
std::string_view kept_name(std::string_view name);

/// The columns of rows, by name, how many rows there were, and how numeric columns go together.
class Profile {
 public:
  static constexpr std::size_t kMaxColumns = 1'024;

  struct Named {
    std::string name;
    ColumnProfile column;
  };
  std::uint64_t rows = 0;
  std::vector<Named> columns;
  std::uint64_t left_out = 0;  ///< Columns that the rows had beyond those: nothing is known of them.
  PairProfile pairs;

  const ColumnProfile* find(std::string_view name) const;
  /// What a column is in rows whose profile lacks it: missing, as in those of one stream; or not known, as in those of
  /// another table.
  enum class Absent : std::uint8_t { kMissing, kUnknown };
  /// Columns that one of them lacks count as missing there (`absent`), unless it left some out: of a column that was
  /// profiled for a part of the rows only nothing is known, so it is left out too. Beyond kMaxColumns nothing is added.
  void merge(const Profile& other, Absent absent = Absent::kMissing);
};

}  // namespace backstay::drift
