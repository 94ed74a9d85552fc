#include "domain/drift/column_profile.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "domain/drift/number_batch.hpp"

namespace backstay::drift {

namespace {

constexpr std::uint64_t kWordSeed = 0x77;
/// Takes one code point off; what is no UTF-8 is taken byte by byte.
char32_t next_code_point(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  char32_t out = first < 0x80 ? first : first & (0x7fU >> size);
  if (size > text.size() || (first >= 0x80 && first < 0xc0)) {
    text.remove_prefix(1);
    return 0xfffd;
  }
  for (std::size_t i = 1; i < size; ++i) out = out << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
  text.remove_prefix(size);
  return out;
}

// Unicode's blocks, roughly: what is not a letter is kNone.
Script script_of(char32_t c) {
  struct Range {
    char32_t first, last;
    Script script;
  };
  static constexpr Range kRanges[] = {
      {'A', 'Z', Script::kLatin},        {'a', 'z', Script::kLatin},        {0xc0, 0x24f, Script::kLatin},
      {0x370, 0x3ff, Script::kGreek},    {0x400, 0x52f, Script::kCyrillic}, {0x590, 0x5ff, Script::kHebrew},
      {0x600, 0x77f, Script::kArabic},   {0x900, 0xdff, Script::kIndic},    {0xe00, 0xe7f, Script::kThai},
      {0x1100, 0x11ff, Script::kHangul}, {0x1e00, 0x1eff, Script::kLatin},  {0x1f00, 0x1fff, Script::kGreek},
      {0x3040, 0x30ff, Script::kKana},   {0x3400, 0x9fff, Script::kHan},    {0xac00, 0xd7af, Script::kHangul},
      {0xfb50, 0xfdff, Script::kArabic}, {0xfe70, 0xfefc, Script::kArabic}, {0x20000, 0x3ffff, Script::kHan},
  };
  if (c < 'A') return Script::kNone;
  for (const Range& range : kRanges)
    if (c >= range.first && c <= range.last) return range.script;
  return c >= 0x530 && c < 0x2000 ? Script::kOther : Script::kNone;
}

bool is_latin_letter(char c) {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/// Short, ASCII, without blanks.
bool is_plain_word(std::string_view text) {
  constexpr std::size_t kShort = 16;
  return !text.empty() && text.size() <= kShort &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

const char* to_string(Script script) {
  static constexpr const char* kNames[kScripts] = {"none",  "latin", "greek",  "cyrillic", "hebrew", "arabic",
                                                   "indic", "thai",  "hangul", "kana",     "han",    "other"};
  return kNames[static_cast<std::size_t>(script)];
}

Script script_of(std::string_view text) {
  std::array<std::uint32_t, kScripts> counts{};
  while (!text.empty()) ++counts[static_cast<std::size_t>(script_of(next_code_point(text)))];
  counts[0] = 0;
  if (counts[static_cast<std::size_t>(Script::kKana)] > 0) return Script::kKana;
  return static_cast<Script>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

void TextProfile::add(std::string_view text, std::uint64_t times) {
  if (is_plain_word(text)) {  // Categories: what follows, with one look at each byte.
    lengths.add(static_cast<double>(text.size()), times);
    const bool letters = std::any_of(text.begin(), text.end(), is_latin_letter);
    scripts[static_cast<std::size_t>(letters ? Script::kLatin : Script::kNone)] += times;
    words[hash_of_text(text, kWordSeed) % kWordBuckets] += times;
    return;
  }
  std::array<std::uint32_t, kScripts> counts{};
  std::uint64_t length = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    ++counts[static_cast<std::size_t>(script_of(next_code_point(rest)))];
    ++length;
  }
  counts[0] = 0;
  const bool kana = counts[static_cast<std::size_t>(Script::kKana)] > 0;
  scripts[kana ? static_cast<std::size_t>(Script::kKana)
               : static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin())] += times;
  lengths.add(static_cast<double>(length), times);
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    if (end > begin) words[hash_of_text(text.substr(begin, end - begin), kWordSeed) % kWordBuckets] += times;
    begin = end + 1;
  }
}

void TextProfile::merge(const TextProfile& other) {
  lengths.merge(other.lengths);
  for (std::size_t i = 0; i < kScripts; ++i) scripts[i] += other.scripts[i];
  for (std::size_t i = 0; i < kWordBuckets; ++i) words[i] += other.words[i];
}

std::uint64_t TextProfile::word_count() const {
  std::uint64_t out = 0;
  for (const std::uint64_t each : words) out += each;
  return out;
}

void ColumnProfile::add_numbers(std::span<const double> values, std::uint64_t integer_values) {
  const Extent extent = extent_of(values);
  min = numbers == 0 ? extent.least : std::min(min, extent.least);
  max = numbers == 0 ? extent.most : std::max(max, extent.most);
  add_exactly(sum, sum_rest, extent.sum);
  sum_rest += extent.sum_rest;
  numbers += values.size();
  integers += integer_values;
  quantiles.add(values);
  std::array<std::uint64_t, RowBlock::kRows> hashes;
  const std::uint64_t telling = hash_numbers(values, distinct_values.silent_bits(), hashes.data());
  for_each_row(telling, [&](std::size_t row) { distinct_values.add(hashes[row]); });
  for (std::size_t i = 0; i < values.size() && !many_numbers; ++i) {
    categories.add(category_of(hashes[i]));
    if (categories.entries().size() <= kMaxNumberCategories || texts > 0) continue;
    many_numbers = true;
    categories.clear();
  }
}

void ColumnProfile::add_boolean(bool value) {
  ++booleans;
  add_category(hash_of_boolean(value), 1);
}

void ColumnProfile::sketch_text(std::string_view utf8, std::uint64_t hash, std::uint64_t times) {
  add_category(hash, times);
  text.add(utf8, times);
}

void ColumnProfile::add_category(std::uint64_t hash, std::uint64_t times) {
  distinct_values.add(hash);
  categories.add(category_of(hash), times);
}

void ColumnProfile::add(const FrequentTexts& frequent) {
  for (const FrequentTexts::Text& each : frequent.texts()) sketch_text(each.utf8, each.hash, each.times);
}

/// Categories come again and again: each is looked at once.
void ColumnProfile::add_texts(const RowBlock& block, const RowBlock::Column& values, FrequentTexts& frequent) {
  std::array<std::uint8_t, RowBlock::kRows> times{};
  std::uint64_t firsts = 0;
  for_each_row(values.texts, [&](std::size_t row) {
    ++times[values.same[row]];
    firsts |= 1ULL << values.same[row];
  });
  texts += static_cast<std::uint64_t>(std::popcount(values.texts));
  // Before the sketch of categories leaves any out it has to know of all, so that its counts stay exact.
  const bool has_room = categories.entries().size() + RowBlock::kRows <= CategorySketch::kKept;
  if (!has_room) {
    add(frequent);
    frequent.clear();
  }
  for_each_row(firsts, [&](std::size_t row) {
    const std::string_view utf8 = block.text_at(values, row);
    if (!has_room || !frequent.count(values.hashes[row], utf8, times[row]))
      sketch_text(utf8, values.hashes[row], times[row]);
  });
}

void ColumnProfile::add(const RowBlock& block, const RowBlock::Column& values, FrequentTexts& frequent) {
  const auto integer_values = static_cast<std::uint64_t>(std::popcount(values.integers));
  if (values.numbers == block.all_rows() && values.numbers != 0) {
    add_numbers(std::span(values.values).first(block.rows()), integer_values);
  } else if (values.numbers != 0) {
    std::array<double, RowBlock::kRows> dense;
    std::size_t count = 0;
    for_each_row(values.numbers, [&](std::size_t row) { dense[count++] = values.values[row]; });
    add_numbers(std::span(dense).first(count), integer_values);
  }
  for_each_row(values.booleans, [&](std::size_t row) { add_boolean(values.values[row] != 0); });
  if (values.texts != 0) add_texts(block, values, frequent);
  for_each_row(values.nested, [&](std::size_t row) { add_nested(block.vector_at(values, row)); });
}

void ColumnProfile::merge(const ColumnProfile& other) {
  if (other.numbers > 0) {
    min = numbers == 0 ? other.min : std::min(min, other.min);
    max = numbers == 0 ? other.max : std::max(max, other.max);
  }
  const bool counted_anew = !distinct_values.registers().empty() && !other.distinct_values.registers().empty();
  distinct_counted = counted_anew ? 0 : std::max(distinct_counted, other.distinct_counted);
  missing += other.missing;
  integers += other.integers;
  numbers += other.numbers;
  booleans += other.booleans;
  texts += other.texts;
  nested += other.nested;
  sum += other.sum;
  sum_rest += other.sum_rest;
  quantiles.merge(other.quantiles);
  categories.merge(other.categories);
  distinct_values.merge(other.distinct_values);
  text.merge(other.text);
  vectors.merge(other.vectors);
  const auto different = std::count_if(categories.entries().begin(), categories.entries().end(),
                                       [](const CategorySketch::Entry& entry) { return entry.count > 0; });
  many_numbers = many_numbers || other.many_numbers ||
                 (numbers > 0 && texts == 0 && different > static_cast<std::ptrdiff_t>(kMaxNumberCategories));
  if (many_numbers && texts == 0) categories.clear();
}

double ColumnProfile::mean() const {
  return numbers == 0 ? 0 : (sum + sum_rest) / static_cast<double>(numbers);
}

std::uint64_t ColumnProfile::distinct() const {
  if (distinct_counted > 0) return distinct_counted;
  const bool counted = categories.exact() && !many_numbers && !categories.entries().empty();
  if (counted) return categories.entries().size();
  return static_cast<std::uint64_t>(std::llround(distinct_values.estimate()));
}

const char* ColumnProfile::type() const {
  const int kinds = (numbers > 0 ? 1 : 0) + (booleans > 0 ? 1 : 0) + (texts > 0 ? 1 : 0) + (nested > 0 ? 1 : 0);
  if (kinds == 0) return "empty";
  if (kinds > 1) return "mixed";
  if (numbers > 0) return integers == numbers ? "integer" : "number";
  if (booleans > 0) return "boolean";
  if (texts > 0) return "text";
  return vectors.count() == nested ? "vector" : "nested";
}

std::string_view kept_name(std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 256;
  if (name.size() <= kMaxNameBytes) return name;
  std::size_t end = kMaxNameBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0U) == 0x80) --end;
  return name.substr(0, end);
}

const ColumnProfile* Profile::find(std::string_view name) const {
  for (const Named& each : columns)
    if (each.name == name) return &each.column;
  return nullptr;
}

void Profile::merge(const Profile& other, Absent absent) {
  const bool is_missing = absent == Absent::kMissing;
  const std::uint64_t there_were = std::max(columns.size() + left_out, other.columns.size() + other.left_out);
  std::uint64_t beyond = 0;
  if (other.left_out > 0 && rows > 0)
    std::erase_if(columns, [&](const Named& mine) { return other.find(mine.name) == nullptr; });
  for (const Named& theirs : other.columns) {
    auto mine = std::find_if(columns.begin(), columns.end(), [&](const Named& n) { return n.name == theirs.name; });
    if (mine != columns.end()) {
      mine->column.merge(theirs.column);
      continue;
    }
    if (left_out > 0) continue;
    if (columns.size() >= kMaxColumns) {
      ++beyond;
      continue;
    }
    columns.push_back(theirs);
    if (is_missing) columns.back().column.missing += rows;
  }
  for (Named& mine : columns)
    if (is_missing && other.find(mine.name) == nullptr) mine.column.missing += other.rows;
  rows += other.rows;
  if (left_out + other.left_out + beyond > 0)
    left_out = std::max<std::uint64_t>(there_were, columns.size() + beyond) - columns.size();
  pairs.merge(other.pairs);
}

}  // namespace backstay::drift
