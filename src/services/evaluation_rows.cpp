#include "services/evaluation_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include "base/random.hpp"
#include "base/text.hpp"
#include "services/table_rows.hpp"

namespace backstay::services {

namespace {

using evaluation::Change;
using evaluation::number_in;
using evaluation::Set;
using tables::Cell;

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

/// Cells of the columns that somebody wants, whatever order each file has them in.
class Columns {
 public:
  explicit Columns(std::vector<std::string> wanted) : wanted_(std::move(wanted)), cells_(wanted_.size()) {}

  Result<void> refuse_twice(const std::vector<std::string>& columns, const std::string& file) const {
    for (const std::string& name : wanted_)
      if (std::count(columns.begin(), columns.end(), name) > 1)
        return invalid(fmt::format("{} has several columns '{}'.", file, name),
                       "Nobody can tell which of them is meant: rename one.");
    return {};
  }

  Result<std::span<const Cell>> pick(const TableRow& row, const std::string& file, bool must_be_there) {
    if (row.columns.size() != seen_) {
      TRY_DO(refuse_twice(row.columns, file));
      seen_ = row.columns.size();
      places_.clear();
      for (const std::string& name : wanted_) {
        const auto found = std::find(row.columns.begin(), row.columns.end(), name);
        if (found == row.columns.end() && must_be_there) return lacking(name, row.columns, file);
        places_.push_back(static_cast<std::size_t>(found - row.columns.begin()));
      }
    }
    for (std::size_t i = 0; i < places_.size(); ++i)
      cells_[i] = places_[i] < row.cells.size() ? row.cells[places_[i]] : Cell{};
    return std::span<const Cell>(cells_);
  }
  void next_file() { seen_ = 0; }

 private:
  static Unexpected lacking(const std::string& name, const std::vector<std::string>& columns, const std::string& file) {
    const auto close = nearest(name, columns);
    return invalid(fmt::format("{} has no column '{}'.", file, name),
                   close ? fmt::format("Did you mean '{}'?", *close) : "Name the columns as the file does.");
  }
  const std::vector<std::string> wanted_;
  std::vector<Cell> cells_;
  std::vector<std::size_t> places_;
  std::size_t seen_ = 0;
};

std::vector<std::string> input_columns(const Set& set) {
  std::vector<std::string> out;
  for (const auto& input : set.inputs) out.insert(out.end(), input.columns.begin(), input.columns.end());
  return out;
}

/// Rows that count twice would make limits too narrow.
Result<void> refuse_file_twice(const Set& set, const std::filesystem::path& folder) {
  for (std::size_t i = 0; i < set.files.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) {
      std::error_code failure;
      const bool same = std::filesystem::equivalent(folder / set.files[i], folder / set.files[k], failure);
      if (!same || failure) continue;
      return invalid(fmt::format("The set '{}' has the file {} twice{}.", set.name, set.files[i],
                                 set.files[i] == set.files[k] ? "" : ", also as " + set.files[k]),
                     "Its rows would count twice: name each file once.");
    }
  return {};
}

/// Reads the rows of all files; JSON Lines may lack a column in any row.
Result<Digest> read_set(const Set& set, const std::filesystem::path& folder, Columns& columns,
                        const std::function<Result<void>(std::span<const Cell>)>& on_row) {
  std::vector<Digest> digests;
  for (const std::string& name : set.files) {
    columns.next_file();
    const bool fixed_columns = !name.ends_with(".jsonl");
    const auto pick = [&](const TableRow& row) -> Result<void> {
      TRY(const std::span<const Cell> cells, columns.pick(row, name, fixed_columns));
      return on_row(cells);
    };
    TRY(const Digest digest, read_table(folder / name, pick));
    digests.push_back(digest);
  }
  if (digests.size() == 1) return digests[0];
  std::string list;
  for (const Digest& digest : digests) list += digest.hex() + '\n';
  return sha256(list);
}

/// Mean and variance in one pass (Welford, 1962).
struct Spread {
  double count = 0, mean = 0, squares = 0;
  void add(double value) {
    count += 1;
    const double off = value - mean;
    mean += off / count;
    squares += off * (value - mean);
  }
  double deviation() const { return count < 2 ? 0 : std::sqrt(squares / (count - 1)); }
};

std::string_view text_of(const Cell& cell) {
  return cell.kind == Cell::Kind::kMissing ? std::string_view() : cell.text;
}

/// As text; true and false as 1 and 0, and not a number ("nan", which Arrow and pandas write for a missing float) as
/// none.
std::string number_text(const Cell& cell) {
  std::string text(text_of(cell));
  if (text == "true") return "1";
  if (text == "false") return "0";
  const bool nan = text.size() == 3 && (text[0] | 0x20) == 'n' && (text[1] | 0x20) == 'a' && (text[2] | 0x20) == 'n';
  return nan ? "" : text;
}

/// How many numbers the cells of each input column hold, which must be the same number in all rows.
class Widths {
 public:
  explicit Widths(const Set& set) : set_(set), names_(input_columns(set)), widths_(names_.size(), 0) {}

  Result<void> add(std::span<const Cell> cells, std::uint64_t row) {
    for (std::size_t i = 0; i < widths_.size(); ++i) {
      if (cells[i].kind == Cell::Kind::kMissing) continue;
      const bool nested = cells[i].kind == Cell::Kind::kNested;
      if (nested && cells[i].list.empty())
        return invalid(
            fmt::format("Row {} of the set '{}' has no list of numbers in the column '{}', but something nested.", row,
                        set_.name, names_[i]),
            fmt::format("Inputs are numbers, texts, and lists of 1 to {} numbers: give what is in a struct, or in a "
                        "list of lists, columns of its own.",
                        tables::kMaxListItems));
      const std::size_t width = nested ? cells[i].list.size() : 1;
      if (widths_[i] == 0) widths_[i] = width;
      if (width != widths_[i])
        return invalid(fmt::format("Row {} of the set '{}' has {} numbers in the column '{}', and rows before it {}.",
                                   row, set_.name, width, names_[i], widths_[i]),
                       "A tensor's rows are all of one size: pad the lists, or leave rows out.");
    }
    return {};
  }
  std::vector<std::size_t> finish() {
    for (std::size_t& width : widths_) width = std::max<std::size_t>(width, 1);
    return std::move(widths_);
  }

 private:
  const Set& set_;
  const std::vector<std::string> names_;
  std::vector<std::size_t> widths_;
};

/// The random numbers of one cell, or of one number of a list: the same for the same question, whatever was asked
/// before.
Random draws_for(const Question& question, std::uint64_t row, std::size_t column) {
  std::uint64_t seed = 0;
  const Digest digest = sha256(fmt::format("{}\n{}\n{}\n{}", question.seed, question.name, row, column));
  for (int i = 0; i < 8; ++i) seed = seed << 8 | digest.bytes[static_cast<std::size_t>(i)];
  return Random(seed);
}

/// Fills the tensors of one row.
class RowWriter {
 public:
  explicit RowWriter(const Question& question) : question_(question), names_(input_columns(*question.set)) {
    const Change& change = question.change;
    for (const std::string& name : names_)
      changed_.push_back(change.kind != Change::Kind::kNone &&
                         (change.columns.empty() ||
                          std::find(change.columns.begin(), change.columns.end(), name) != change.columns.end()));
  }

  Result<void> add(std::span<const Cell> cells, std::uint64_t row, Batch& batch) const {
    for (std::size_t t = 0; t < question_.plan->size(); ++t) {
      const TensorPlan& plan = (*question_.plan)[t];
      for (std::size_t i = 0; i < plan.input->columns.size(); ++i) {
        const std::size_t column = plan.first + i;
        if (plan.spec.datatype == "BYTES") {
          TRY_DO(add_text(plan, cells[column], row, column, batch.inputs[t]));
          continue;
        }
        const bool list = cells[column].kind == Cell::Kind::kNested;
        const std::size_t width = question_.facts->widths[column];
        for (std::size_t k = 0; k < width; ++k) {
          const std::string written = list ? fmt::format("{}", cells[column].list[k]) : std::string();
          const Cell item = list ? Cell{Cell::Kind::kNumber, written} : cells[column];
          TRY_DO(add_number(plan, item, row, {column, k}, batch.inputs[t]));
        }
      }
    }
    return {};
  }

  Batch empty(std::uint64_t number) const {
    Batch batch;
    batch.number = number;
    for (const TensorPlan& plan : *question_.plan) batch.inputs.push_back({plan.spec, {}, {}});
    return batch;
  }

 private:
  Result<void> add_text(const TensorPlan& plan, const Cell& cell, std::uint64_t row, std::size_t column,
                        evaluation::NamedTensor& tensor) const {
    if (cell.kind == Cell::Kind::kNested)
      return invalid(
          fmt::format("Row {} of the set '{}' has a list in the column '{}', and the input '{}' wants one text.",
                      row + 1, question_.set->name, names_[column], plan.spec.name),
          "Give each text a column of its own.");
    std::string text(text_of(cell));
    bool there = cell.kind != Cell::Kind::kMissing;
    if (!there && plan.input->missing) {
      text = *plan.input->missing;
      there = true;
    }
    const Change& change = question_.change;
    if (changed_[column]) {
      const bool replaced =
          change.kind == Change::Kind::kSet ||
          (change.kind == Change::Kind::kMissing && draws_for(question_, row, column).unit() < change.amount);
      if (replaced) text = change.text;
      there = there || replaced;
    }
    if (!there)
      return invalid(fmt::format("Row {} of the set '{}' has no text in the column '{}'.", row + 1, question_.set->name,
                                 names_[column]),
                     "Leave such rows out, or say what is sent instead: missing: \"\" of the input is an empty text.");
    tensor.texts.push_back(std::move(text));
    return {};
  }

  /// Where a number stands: its column, and its place in a list.
  struct Place {
    std::size_t column = 0;
    std::size_t item = 0;
    std::size_t draw() const { return column + item * 1'000'000'007; }
  };

  Result<void> add_number(const TensorPlan& plan, const Cell& cell, std::uint64_t row, const Place& place,
                          evaluation::NamedTensor& tensor) const {
    const std::size_t column = place.column;
    std::string text = number_text(cell);
    if (text.empty() && plan.input->missing) text = *plan.input->missing;
    const Change& change = question_.change;
    bool replaced = false;
    if (changed_[column]) {
      replaced = change.kind == Change::Kind::kSet || (change.kind == Change::Kind::kMissing &&
                                                       draws_for(question_, row, place.draw()).unit() < change.amount);
      if (replaced) text = change.text.empty() && plan.input->missing ? *plan.input->missing : change.text;
    }
    const bool real = plan.spec.datatype.starts_with("FP") || plan.spec.datatype == "BF16";
    const bool nan = real && text == "nan";
    auto number = nan ? std::optional<double>(std::numeric_limits<double>::quiet_NaN()) : number_in(text);
    if (!number)
      return invalid(fmt::format("Row {} of the set '{}' has '{}' in the column '{}', which is no number.", row + 1,
                                 question_.set->name, text.substr(0, 100), names_[column]),
                     replaced || text.empty()
                         ? "Say what stands for a missing value: as: 0 beside missing: 0.1, or missing: 0 of the input "
                           "(missing: nan sends a floating-point input NaN)."
                         : "Inputs other than BYTES are numbers.");
    if (changed_[column] && !replaced && !nan) number = changed(*number, row, place);
    tensor.numbers.push_back(*number);
    return {};
  }

  double changed(double number, std::uint64_t row, const Place& place) const {
    const Change& change = question_.change;
    if (change.kind == Change::Kind::kScale) return number * change.amount;
    if (change.kind == Change::Kind::kAdd) return number + change.amount;
    if (change.kind != Change::Kind::kNoise) return number;
    Random random = draws_for(question_, row, place.draw());
    // Box and Muller (1958).
    const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
    const double normal = radius * std::cos(2 * std::numbers::pi * random.unit());
    return number + normal * change.amount * question_.facts->deviations[place.column];
  }

  const Question& question_;
  const std::vector<std::string> names_;
  std::vector<bool> changed_;
};

Unexpected files_changed(const Set& set) {
  return Unexpected(ErrorCode::kConflict,
                    fmt::format("The files of the set '{}' changed while they were read.", set.name),
                    "Wait until whatever writes them is done, then evaluate again.");
}

std::vector<std::string> columns_for_facts(const Set& set) {
  std::vector<std::string> names = input_columns(set);
  if (!set.label.empty()) names.push_back(set.label);
  if (!set.query.empty()) names.push_back(set.query);
  names.insert(names.end(), set.groups.begin(), set.groups.end());
  for (const auto& test : set.robustness)
    for (const auto& [column, value] : test.where) names.push_back(column);
  return names;
}

}  // namespace

Result<SetFacts> read_facts(const Set& set, const std::filesystem::path& folder) {
  TRY_DO(refuse_file_twice(set, folder));
  const std::size_t inputs = input_columns(set).size();
  const std::vector<std::string> names = columns_for_facts(set);
  Columns columns(names);
  SetFacts facts;
  std::vector<Spread> spreads(inputs);
  Widths widths(set);
  facts.chosen.resize(set.robustness.size());
  evaluation::Truth truth(set);
  std::vector<std::string_view> groups(set.groups.size());
  TRY(facts.sha256, read_set(set, folder, columns, [&](std::span<const Cell> cells) -> Result<void> {
        TRY_DO(widths.add(cells.first(inputs), facts.rows + 1));
        for (std::size_t i = 0; i < inputs; ++i) {
          for (const double item : cells[i].list) spreads[i].add(item);
          if (const auto number = number_in(text_of(cells[i]))) spreads[i].add(*number);
        }
        for (std::size_t i = inputs; i < cells.size(); ++i)
          if (cells[i].kind == Cell::Kind::kNested)
            return invalid(fmt::format("Row {} of the set '{}' has something nested in the column '{}'.",
                                       facts.rows + 1, set.name, names[i]),
                           "Labels, queries, groups and what where chooses by are numbers or texts.");
        std::size_t at = inputs;
        const std::string_view label = set.label.empty() ? "" : text_of(cells[at++]);
        const std::string_view query = set.query.empty() ? "" : text_of(cells[at++]);
        for (std::string_view& group : groups) group = text_of(cells[at++]);
        for (std::size_t t = 0; t < set.robustness.size(); ++t) {
          bool chosen = true;
          for (const auto& [column, value] : set.robustness[t].where) chosen = text_of(cells[at++]) == value && chosen;
          if (chosen) facts.chosen[t].push_back(static_cast<std::uint32_t>(facts.rows));
        }
        if (++facts.rows > 100'000'000)
          return invalid(fmt::format("The set '{}' has more than 100 million rows.", set.name), "Take a sample of it.");
        return truth.add(label, query, groups);
      }));
  if (facts.rows == 0)
    return invalid(fmt::format("The set '{}' has no rows.", set.name), "An evaluation needs at least one.");
  if (!set.sha256.empty() && facts.sha256.hex() != set.sha256)
    return Unexpected(
        ErrorCode::kIntegrity,
        fmt::format("The set '{}' has the digest {}, and its suite pins {}.", set.name, facts.sha256.hex(), set.sha256),
        "Restore the files, or pin what they are now.");
  facts.truth = truth.finish();
  facts.widths = widths.finish();
  for (const Spread& spread : spreads) facts.deviations.push_back(spread.deviation());
  return facts;
}

Result<std::vector<TensorPlan>> plan_tensors(const Set& set, const SetFacts& facts,
                                             const registry::Signature& signature) {
  std::vector<TensorPlan> plans;
  std::size_t first = 0;
  for (const evaluation::Input& input : set.inputs) {
    const auto found = std::find_if(signature.inputs.begin(), signature.inputs.end(), [&](const auto& spec) {
      return input.name.empty() ? signature.inputs.size() == 1 : spec.name == input.name;
    });
    std::vector<std::string> names;
    for (const registry::TensorSpec& spec : signature.inputs) names.push_back(spec.name);
    if (found == signature.inputs.end())
      return invalid(fmt::format("The model has no input '{}' for the set '{}'.", input.name, set.name),
                     fmt::format("It has: {}.", fmt::join(names, ", ")));
    TensorPlan plan{*found, first, &input};
    std::vector<std::int64_t> shape(found->shape.begin() + (found->shape.empty() ? 0 : 1), found->shape.end());
    std::int64_t wanted = 0;
    for (std::size_t i = 0; i < input.columns.size(); ++i) wanted += static_cast<std::int64_t>(facts.widths[first + i]);
    const bool lists = wanted != static_cast<std::int64_t>(input.columns.size());
    if (!input.shape.empty()) shape = input.shape;
    if (std::count(shape.begin(), shape.end(), -1) == 1) {
      std::int64_t known = 1;
      for (const std::int64_t size : shape) known *= size == -1 ? 1 : size;
      if (known > 0 && wanted % known == 0) std::replace(shape.begin(), shape.end(), std::int64_t{-1}, wanted / known);
    }
    std::int64_t cells = 1;
    for (const std::int64_t size : shape) cells *= size;
    if (found->shape.empty() || cells != wanted || std::count(shape.begin(), shape.end(), -1) > 0)
      return invalid(fmt::format("The input '{}' has the shape [{}], and the set '{}' gives it {} {}.", found->name,
                                 fmt::join(found->shape, ","), set.name, wanted,
                                 lists ? "numbers, with those in lists" : "columns"),
                     "The first dimension is the rows; the others make up one row: shape: [28, 28]");
    plan.spec.shape = std::move(shape);
    first += input.columns.size();
    plans.push_back(std::move(plan));
  }
  if (plans.size() != signature.inputs.size())
    return invalid(fmt::format("The model has {} inputs, and the set '{}' gives {}.", signature.inputs.size(), set.name,
                               plans.size()),
                   "Name each under inputs.");
  return plans;
}

Result<void> make_batches(const Question& question, const std::filesystem::path& folder,
                          const std::function<bool(std::uint64_t number)>& wanted,
                          const std::function<Result<bool>(Batch)>& take) {
  const Set& set = *question.set;
  const RowWriter writer(question);
  Columns columns(input_columns(set));
  std::uint64_t row = 0;
  std::uint64_t in_batch = 0;
  std::uint64_t number = 0;
  bool making = wanted(0);
  bool ended = false;
  Batch batch = writer.empty(0);
  const auto flush = [&]() -> Result<void> {
    batch.rows = in_batch;
    for (evaluation::NamedTensor& tensor : batch.inputs)
      tensor.spec.shape.insert(tensor.spec.shape.begin(), static_cast<std::int64_t>(in_batch));
    if (making && in_batch > 0) {
      TRY(const bool more, take(std::move(batch)));
      ended = !more;
      // Reading ends with a failure, which nobody is told of.
      if (ended) return Unexpected(ErrorCode::kInternal, "Nobody wants more rows.");
    }
    in_batch = 0;
    making = wanted(++number);
    batch = writer.empty(number);
    return {};
  };
  const auto digest = read_set(set, folder, columns, [&](std::span<const Cell> cells) -> Result<void> {
    if (row == question.facts->rows) return files_changed(set);
    if (making) TRY_DO(writer.add(cells, row, batch));
    ++row;
    return ++in_batch == question.batch_rows ? flush() : Result<void>();
  });
  if (ended) return {};
  if (!digest) return Unexpected(digest.error());
  if (*digest != question.facts->sha256) return files_changed(set);
  auto last = flush();
  return ended ? Result<void>() : last;
}

}  // namespace backstay::services
