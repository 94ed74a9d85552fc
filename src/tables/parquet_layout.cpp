#include "tables/parquet_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/text.hpp"
#include "tables/parquet_footer.hpp"
#include "tables/parquet_schema.hpp"
#include "tables/thrift_reader.hpp"

namespace backstay::tables {

namespace {

// Fields and types: apache/parquet-format, parquet.thrift.
constexpr std::size_t kMaxColumns = 16384;
constexpr std::size_t kMaxChunks = 4'000'000;

using T = ThriftType;

class LayoutReader {
 public:
  LayoutReader(const std::string& name, std::string_view footer, std::uint64_t file_size)
      : name_(name), in_(footer), end_(file_size - kParquetTailBytes - footer.size()) {}

  Result<ParquetLayout> read() {
    std::int64_t rows = 0;
    std::vector<ParquetElement> elements;
    in_.fields([&](int id, T type) {
      switch (id) {
        case 2: in_.list(type, T::kStruct, [&] { elements.push_back(read_parquet_element(in_)); }); break;
        case 3: rows = in_.integer(type); break;
        case 4:
          add_columns(elements);
          in_.list(type, T::kStruct, [&] { read_group(); });
          break;
        default: in_.skip(type);
      }
    });
    if (!in_.ok() || rows < 0) fail("its footer can't be read");
    out_.rows = static_cast<std::uint64_t>(rows);
    std::uint64_t total = 0;
    for (const ParquetLayout::RowGroup& group : out_.row_groups) total += group.rows;
    if (total != out_.rows) fail("its row groups do not add up to its rows");
    if (problem_.empty()) return std::move(out_);
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is not a sound Parquet file: {}.", name_, problem_),
                      "Write it again.");
  }

 private:
  void fail(const char* what) {
    if (problem_.empty()) problem_ = what;
  }

  /// How many leaves the element at `at` has; goes past it.
  std::size_t leaves_of(const std::vector<ParquetElement>& elements, std::size_t& at, int depth) const {
    constexpr int kMaxDepth = 64;
    if (at >= elements.size() || depth > kMaxDepth) return kMaxColumns + 1;
    const std::int64_t children = elements[at++].children;
    if (children <= 0) return 1;
    std::size_t leaves = 0;
    for (std::int64_t i = 0; i < children && leaves <= kMaxColumns; ++i) leaves += leaves_of(elements, at, depth + 1);
    return leaves;
  }

  void add_columns(const std::vector<ParquetElement>& elements) {
    if (!out_.columns.empty() || elements.empty()) return fail("it has no schema, or two");
    std::size_t at = 1;
    for (std::int64_t i = 0; i < elements[0].children && leaves_ <= kMaxColumns && at < elements.size(); ++i) {
      if (!is_utf8(elements[at].name)) fail("a column's name is not UTF-8");
      const std::size_t begin = at;
      const std::size_t leaf = leaves_;
      leaves_ += leaves_of(elements, at, 0);
      out_.columns.push_back(parquet_field(std::span(elements).subspan(begin, at - begin)));
      out_.columns.back().leaf = leaf;
    }
    if (leaves_ > kMaxColumns || at != elements.size()) fail("its schema can't be read");
  }

  ParquetLayout::Chunk read_chunk() {
    ParquetLayout::Chunk out;
    std::int64_t begin = 0;
    std::int64_t dictionary = 0;
    std::int64_t bytes = 0;
    std::int64_t values = -1;
    in_.fields([&](int id, T type) {
      if (id == 1 && !in_.binary(type).empty()) fail("its columns are in other files");
      if (id == 1) return;
      if (id == 8) out.encrypted = true;
      if (id != 3 || type != T::kStruct) return in_.skip(type);
      in_.fields([&](int field, T kind) {
        switch (field) {
          case 1: out.type = static_cast<ParquetType>(in_.integer(kind) & 7); break;
          case 4: out.codec = static_cast<Codec>(std::clamp<std::int64_t>(in_.integer(kind), -1, 99)); break;
          case 5: values = in_.integer(kind); break;
          case 7: bytes = in_.integer(kind); break;
          case 9: begin = in_.integer(kind); break;
          case 11: dictionary = in_.integer(kind); break;
          default: in_.skip(kind);
        }
      });
    });
    if (out.encrypted) {  // What is told of it may be hidden, too.
      out.values = values < 0 ? 0 : static_cast<std::uint64_t>(values);
      return out;
    }
    if (dictionary > 0) begin = std::min(begin, dictionary);
    if (values == 0) return out;  // Without any page, or one of no use.
    if (begin < 4 || bytes < 0 || values < 0 || std::cmp_greater(begin, end_) ||
        static_cast<std::uint64_t>(bytes) > end_ - static_cast<std::uint64_t>(begin)) {
      fail("a column lies outside of the file");
      return out;
    }
    out.values = static_cast<std::uint64_t>(values);
    out.begin = static_cast<std::uint64_t>(begin);
    out.end = out.begin + static_cast<std::uint64_t>(bytes);
    return out;
  }

  void read_group() {
    ParquetLayout::RowGroup group;
    std::int64_t rows = 0;
    in_.fields([&](int id, T type) {
      if (id == 1) {
        in_.list(type, T::kStruct, [&] {
          group.chunks.push_back(read_chunk());
          if (group.chunks.size() > leaves_ || ++chunks_ > kMaxChunks) fail("a row group does not fit its schema");
          if (!problem_.empty()) group.chunks.clear();
        });
      } else if (id == 3) {
        rows = in_.integer(type);
      } else {
        in_.skip(type);
      }
    });
    if (!problem_.empty()) return;
    if (rows < 0 || group.chunks.size() != leaves_) return fail("a row group does not fit its schema");
    group.rows = static_cast<std::uint64_t>(rows);
    for (const ParquetLayout::Column& column : out_.columns) {
      if (column.info.type == ColumnType::kNested) continue;
      const ParquetLayout::Chunk& chunk = group.chunks[column.leaf];
      if (chunk.encrypted) continue;
      if (chunk.type != column.type || chunk.values != group.rows) return fail("a row group does not fit its schema");
    }
    out_.row_groups.push_back(std::move(group));
  }

  const std::string& name_;
  ThriftReader in_;
  const std::uint64_t end_;  ///< Where the footer begins.
  std::size_t leaves_ = 0;
  std::size_t chunks_ = 0;
  std::string problem_;
  ParquetLayout out_;
};

}  // namespace

Result<ParquetLayout> parse_parquet_layout(const std::string& name, std::string_view footer, std::uint64_t file_size) {
  if (footer.size() + kParquetTailBytes + 4 > file_size)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} is not a sound Parquet file: its footer is larger than the file.", name),
                      "Write it again.");
  return LayoutReader(name, footer, file_size).read();
}

}  // namespace backstay::tables
