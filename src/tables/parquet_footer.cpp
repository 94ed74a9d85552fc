#include "tables/parquet_footer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "tables/thrift_reader.hpp"

namespace backstay::tables {

namespace {

// Fields and types: apache/parquet-format, parquet.thrift.
constexpr std::uint32_t kMaxFooterBytes = 64 * 1024 * 1024;
constexpr std::size_t kMaxColumns = 16384;
constexpr std::size_t kMaxProfileColumns = 1024;
constexpr std::size_t kMaxParts = 4'000'000;  ///< Columns times row groups.
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxValueBytes = 512;
enum PhysicalType { kBoolean = 0, kInt32 = 1, kInt64 = 2, kInt96 = 3, kFloat = 4, kDouble = 5, kByteArray = 6 };

using T = ThriftType;

Unexpected broken(const std::string& name, const std::string& what) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is not a sound Parquet file: {}.", name, what),
                    "Write it again.");
}

struct Element {
  int type = -1;
  std::int64_t children = 0;
  std::string name;
  bool annotated = false;
  bool repeated = false;
  std::int64_t converted = -1;  ///< The annotation that every writer puts beside the newer one.
};

Element read_element(ThriftReader& in) {
  Element out;
  in.fields([&](int id, T type) {
    switch (id) {
      case 1: out.type = static_cast<int>(in.integer(type)); break;
      case 3: out.repeated = in.integer(type) == 2; break;
      case 4: out.name = std::string(in.binary(type).substr(0, kMaxNameBytes)); break;
      case 5: out.children = in.integer(type); break;
      case 6:
        out.annotated = true;
        out.converted = in.integer(type);
        break;
      case 10:  // logicalType
        out.annotated = true;
        [[fallthrough]];
      default: in.skip(type);
    }
  });
  return out;
}

const char* type_name(const Element& element) {
  switch (element.type) {
    case kBoolean: return "boolean";
    case kInt32:
    case kInt64: return element.annotated ? "other" : "integer";
    case kFloat:
    case kDouble: return "number";
    case kByteArray: return "text";
    default: return "other";
  }
}

/// Whether equal bytes in the statistics are one value that can be written as text: texts and whole numbers. Not what
/// is repeated or within another, where rows are not values.
bool tells_values(const Element& element, int depth) {
  constexpr std::int64_t kUtf8 = 0;
  constexpr std::int64_t kEnum = 4;
  if (depth != 1 || element.repeated) return false;
  if (element.type == kInt32 || element.type == kInt64) return !element.annotated;
  return element.type == kByteArray && (!element.annotated || element.converted == kUtf8 || element.converted == kEnum);
}

struct Leaf {
  int type = -1;
  bool tells_values = false;
};

/// The leaves of the flattened tree, with the names on the way to each.
void add_leaves(const std::vector<Element>& elements, std::size_t& at, const std::string& path, int depth,
                std::vector<ParquetFooter::Column>& out, std::vector<Leaf>& leaves) {
  if (at >= elements.size() || depth > 32 || out.size() >= kMaxColumns) return;
  const Element& element = elements[at++];
  const std::string name = depth == 0 ? "" : path.empty() ? element.name : path + "." + element.name;
  if (element.children == 0) {
    out.push_back({name, type_name(element), !element.annotated});
    leaves.push_back({element.type, tells_values(element, depth)});
    return;
  }
  for (std::int64_t i = 0; i < element.children && at < elements.size(); ++i)
    add_leaves(elements, at, name, depth + 1, out, leaves);
}

template <class Value>
std::optional<double> little_endian(std::string_view bytes) {
  Value value;
  if (bytes.size() != sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof value);  // Parquet is little-endian, as are the machines this is built for.
  const auto number = static_cast<double>(value);
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::optional<double> number_of(int type, std::string_view bytes) {
  switch (type) {
    case kInt32: return little_endian<std::int32_t>(bytes);
    case kInt64: return little_endian<std::int64_t>(bytes);
    case kFloat: return little_endian<float>(bytes);
    case kDouble: return little_endian<double>(bytes);
    default: return std::nullopt;
  }
}

std::optional<std::string> text_of(int type, std::string_view bytes) {
  if (type == kByteArray)
    return is_utf8(bytes) && bytes.size() <= kMaxValueBytes ? std::optional(std::string(bytes)) : std::nullopt;
  const auto whole = [&](auto value) -> std::optional<std::string> {
    if (bytes.size() != sizeof value) return std::nullopt;
    std::memcpy(&value, bytes.data(), sizeof value);
    return fmt::to_string(value);
  };
  return type == kInt32 ? whole(std::int32_t{}) : whole(std::int64_t{});
}

struct Chunk {
  std::int64_t begin = 0;
  std::int64_t dictionary = 0;
  std::int64_t bytes = 0;
  std::int64_t missing = -1;
  std::string_view min;
  std::string_view max;
  bool has_min = false;  ///< An empty text is a value, too.
  bool has_max = false;
  bool exact = true;  ///< Minimum and maximum are values, not bounds that were cut.
  std::int64_t values = -1;
  bool elsewhere = false;  ///< In another file.
};

void read_statistics(ThriftReader& in, Chunk& chunk) {
  in.fields([&](int id, T type) {
    switch (id) {
      case 3: chunk.missing = in.integer(type); break;
      case 5:
        chunk.has_max = type == T::kBinary;
        chunk.max = in.binary(type);
        break;
      case 6:
        chunk.has_min = type == T::kBinary;
        chunk.min = in.binary(type);
        break;
      case 7:
      case 8:
        if (type == T::kFalse) chunk.exact = false;
        in.skip(type);
        break;
      default: in.skip(type);
    }
  });
}

Chunk read_chunk(ThriftReader& in) {
  Chunk out;
  in.fields([&](int id, T type) {
    if (id == 1) out.elsewhere = !in.binary(type).empty();
    if (id == 1) return;
    if (id != 3 || type != T::kStruct) return in.skip(type);
    in.fields([&](int field, T kind) {
      switch (field) {
        case 5: out.values = in.integer(kind); break;
        case 7: out.bytes = in.integer(kind); break;
        case 9: out.begin = in.integer(kind); break;
        case 11: out.dictionary = in.integer(kind); break;
        case 12:
          if (kind == T::kStruct) return read_statistics(in, out);
          [[fallthrough]];
        default: in.skip(kind);
      }
    });
  });
  return out;
}

class FooterReader {
 public:
  FooterReader(const std::string& name, std::string_view footer, std::uint64_t file_size, std::string_view column)
      : name_(name), in_(footer), end_(file_size - kParquetTailBytes - footer.size()), column_(column) {}

  Result<ParquetFooter> read() {
    std::int64_t rows = 0;
    in_.fields([&](int id, T type) {
      switch (id) {
        case 2: in_.list(type, T::kStruct, [&] { elements_.push_back(read_element(in_)); }); break;
        case 3: rows = in_.integer(type); break;
        case 4: in_.list(type, T::kStruct, [&] { read_group(); }); break;
        default: in_.skip(type);
      }
    });
    if (!in_.ok() || rows < 0) return broken(name_, "its footer can't be read");
    if (!problem_.empty()) return broken(name_, problem_);
    TRY_DO(check_column());
    out_.rows = static_cast<std::uint64_t>(rows);
    std::uint64_t total = 0;
    std::uint64_t last = 0;
    for (const ParquetFooter::RowGroup& group : out_.row_groups) {
      if (group.begin < last) return broken(name_, "its row groups overlap or are out of order");
      last = group.end;
      total += group.rows;
    }
    if (total != out_.rows) return broken(name_, "its row groups do not add up to its rows");
    return std::move(out_);
  }

 private:
  void read_group() {
    if (out_.columns.empty()) {
      std::size_t at = 0;
      add_leaves(elements_, at, "", 0, out_.columns, leaves_);
      const auto found = std::find_if(out_.columns.begin(), out_.columns.end(),
                                      [&](const ParquetFooter::Column& each) { return each.name == column_; });
      if (!column_.empty()) asked_ = static_cast<std::size_t>(found - out_.columns.begin());
    }
    ParquetFooter::RowGroup group;
    group.begin = end_;
    values_ = -1;
    std::int64_t rows = 0;
    in_.fields([&](int id, T type) {
      if (id == 1) {
        in_.list(type, T::kStruct, [&] { add_chunk(read_chunk(in_), group); });
      } else if (id == 3) {
        rows = in_.integer(type);
      } else {
        in_.skip(type);
      }
    });
    if (rows < 0 || group.columns.size() != out_.columns.size()) return fail("a row group does not fit its schema");
    group.rows = static_cast<std::uint64_t>(rows);
    if (values_ != rows) group.value.reset();  // The asked column has another number of values than there are rows.
    if (group.end == 0) group.end = group.begin;
    out_.row_groups.push_back(std::move(group));
  }

  void add_chunk(const Chunk& chunk, ParquetFooter::RowGroup& group) {
    if (chunk.elsewhere) return fail("its columns are in other files");
    // Without values there may be a dictionary and no page after it.
    const std::int64_t begin = chunk.dictionary <= 0 ? chunk.begin
                               : chunk.begin <= 0    ? chunk.dictionary
                                                     : std::min(chunk.dictionary, chunk.begin);
    const bool has_pages = begin > 0 || chunk.values != 0;
    if ((has_pages && begin < 4) || chunk.bytes < 0 || static_cast<std::uint64_t>(begin) > end_ ||
        static_cast<std::uint64_t>(chunk.bytes) > end_ - static_cast<std::uint64_t>(begin))
      return fail("a column lies outside of the file");
    if (group.columns.size() >= leaves_.size() || ++parts_ > kMaxParts)
      return fail("a row group does not fit its schema");
    if (has_pages) {
      group.begin = std::min(group.begin, static_cast<std::uint64_t>(begin));
      group.end = std::max(group.end, static_cast<std::uint64_t>(begin + chunk.bytes));
    }
    ParquetFooter::ColumnPart& part = group.columns.emplace_back();
    const std::size_t index = group.columns.size() - 1;
    if (chunk.missing >= 0) part.missing = static_cast<std::uint64_t>(chunk.missing);
    if (index == asked_ && leaves_[index].tells_values) {
      values_ = chunk.values;
      group.value = only_value(chunk, leaves_[index].type);
    }
    if (!out_.columns[index].plain) return;
    part.min = number_of(leaves_[index].type, chunk.min);
    part.max = number_of(leaves_[index].type, chunk.max);
  }

  static std::optional<std::string> only_value(const Chunk& chunk, int type) {
    if (chunk.missing > 0 && chunk.missing == chunk.values) return std::string();
    // Statistics that were cut are never the same: a minimum is cut down, a maximum up.
    if (chunk.missing != 0 || !chunk.has_min || !chunk.has_max || !chunk.exact || chunk.min != chunk.max)
      return std::nullopt;
    return text_of(type, chunk.min);
  }

  Result<void> check_column() const {
    if (column_.empty() || out_.row_groups.empty()) return {};
    if (asked_ >= out_.columns.size()) {
      std::vector<std::string> names;
      for (const ParquetFooter::Column& each : out_.columns) names.push_back(each.name);
      names.resize(std::min<std::size_t>(names.size(), 20));
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} has no column '{}'.", name_, column_),
                        fmt::format("Its columns: {}.", fmt::join(names, ", ")));
    }
    if (!leaves_[asked_].tells_values)
      return Unexpected(ErrorCode::kUnsupported,
                        fmt::format("The column '{}' of {} is neither text nor whole numbers.", column_, name_),
                        "Partition by another column, or use folders like site=a.");
    return {};
  }

  void fail(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }

  const std::string& name_;
  ThriftReader in_;
  const std::uint64_t end_;  ///< Where the footer begins.
  std::vector<Element> elements_;
  std::vector<Leaf> leaves_;
  std::string_view column_;
  std::size_t asked_ = kMaxColumns;  ///< Index of that column.
  std::int64_t values_ = -1;         ///< Of the asked column in the row group that is read.
  std::size_t parts_ = 0;
  std::string problem_;
  ParquetFooter out_;
};

}  // namespace

Result<std::uint32_t> parquet_footer_size(const std::string& name, std::string_view tail, std::uint64_t file_size) {
  if (tail.size() == kParquetTailBytes && tail.ends_with("PARE"))
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is an encrypted Parquet file.", name),
                      "Name it as one slice without row_groups.");
  if (tail.size() != kParquetTailBytes || !tail.ends_with("PAR1")) return broken(name, "it does not end with PAR1");
  std::uint32_t size = 0;
  std::memcpy(&size, tail.data(), sizeof size);
  if (size > kMaxFooterBytes || size + kParquetTailBytes + 4 > file_size)
    return broken(name, "its footer is larger than 64 MiB or than the file");
  return size;
}

Result<ParquetFooter> parse_parquet_footer(const std::string& name, std::string_view footer, std::uint64_t file_size,
                                           std::string_view column) {
  if (footer.size() + kParquetTailBytes + 4 > file_size) return broken(name, "its footer is larger than the file");
  return FooterReader(name, footer, file_size, column).read();
}

std::string ParquetFooter::profile(std::optional<std::size_t> group) const {
  std::vector<const RowGroup*> groups;
  for (std::size_t g = 0; g < row_groups.size(); ++g)
    if (!group || g == *group) groups.push_back(&row_groups[g]);
  return parquet_profile(columns, groups);
}

std::string parquet_profile(const std::vector<ParquetFooter::Column>& columns,
                            const std::vector<const ParquetFooter::RowGroup*>& groups) {
  using nlohmann::json;
  std::uint64_t rows = 0;
  for (const ParquetFooter::RowGroup* group : groups) rows += group->rows;
  json list = json::array();
  for (std::size_t c = 0; c < std::min(columns.size(), kMaxProfileColumns); ++c) {
    json column{{"name", columns[c].name}, {"type", columns[c].type}};
    std::optional<std::uint64_t> missing = 0;
    std::optional<double> min;
    std::optional<double> max;
    bool known = !groups.empty();
    for (const ParquetFooter::RowGroup* group : groups) {
      const ParquetFooter::ColumnPart& part = group->columns[c];
      missing = missing && part.missing ? std::optional(*missing + *part.missing) : std::nullopt;
      const bool empty = part.missing && *part.missing == group->rows;
      if (empty) continue;
      known = known && part.min && part.max;
      if (part.min) min = min ? std::min(*min, *part.min) : *part.min;
      if (part.max) max = max ? std::max(*max, *part.max) : *part.max;
    }
    if (missing) column["missing"] = *missing;
    if (known && min && max) {
      column["min"] = *min;
      column["max"] = *max;
    }
    list.push_back(std::move(column));
  }
  json root{
      {"profile", "backstay-profile/1"}, {"rows", rows}, {"columns", std::move(list)}, {"from", "parquet footer"}};
  if (columns.size() > kMaxProfileColumns) root["left_out"] = columns.size() - kMaxProfileColumns;
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace backstay::tables
