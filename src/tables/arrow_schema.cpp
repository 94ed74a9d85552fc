#include "tables/arrow_schema.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace backstay::tables {

namespace {

// Schema.fbs: union Type.
enum Type {
  kNull = 1,
  kInt,
  kFloatingPoint,
  kBinary,
  kUtf8,
  kBool,
  kDecimal,
  kDate,
  kTime,
  kTimestamp,
  kInterval,
  kList,
  kStruct,
  kUnion,
  kFixedSizeBinary,
  kFixedSizeList,
  kMap,
  kDuration,
  kLargeBinary,
  kLargeUtf8,
  kLargeList,
  kRunEndEncoded,
  kBinaryView,
  kUtf8View,
  kListView,
  kLargeListView
};
enum FieldPart { kName = 0, kTypeType = 2, kType = 3, kDictionary = 4, kChildren = 5, kMetadata = 6 };

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxFields = 65536;
constexpr int kVersion5 = 4;

const char* unit_name(int unit) {
  constexpr const char* kNames[] = {"s", "ms", "us", "ns"};
  return kNames[unit & 3];
}

class SchemaReader {
 public:
  explicit SchemaReader(int version) : version_(version) {}

  bool too_large() const { return fields_ > kMaxFields; }

  ArrowField read(const FlatTable& field) {
    ArrowField out;
    out.info.name = std::string(field.text(kName));
    out.info.type = ColumnType::kNested;
    out.nodes = 0;
    count(field, 0, out);
    read_type(field, out);
    if (out.layout == ArrowLayout::kNone) out.info.type = ColumnType::kNested;
    if (field.has(kDictionary)) read_dictionary(field.table(kDictionary), out);
    return out;
  }

 private:
  /// Nodes and buffers of a field and of what is nested in it.
  void count(const FlatTable& field, int depth, ArrowField& out) {
    if (depth > kMaxDepth || ++fields_ > kMaxFields) {
      fields_ = kMaxFields + 1;
      return;
    }
    ++out.nodes;
    if (field.has(kDictionary)) {
      out.buffers += 2;  // Indexes.
      return;
    }
    switch (field.scalar<std::uint8_t>(kTypeType, 0)) {
      case kNull:
      case kRunEndEncoded: break;
      case kStruct:
      case kFixedSizeList: out.buffers += 1; break;
      case kBinary:
      case kUtf8:
      case kLargeBinary:
      case kLargeUtf8:
      case kListView:
      case kLargeListView: out.buffers += 3; break;
      case kBinaryView:
      case kUtf8View:
        out.buffers += 2;
        ++out.views;
        break;
      case kUnion: {
        const bool dense = field.table(kType).scalar<std::int16_t>(0, 0) == 1;
        out.buffers += (dense ? 2 : 1) + (version_ < kVersion5 ? 1 : 0);
        break;
      }
      default: out.buffers += 2;
    }
    const FlatVector children = field.vector(kChildren, 4);
    for (std::size_t i = 0; i < children.size() && !too_large(); ++i) count(children.table(i), depth + 1, out);
  }

  static void as(ArrowField& out, ColumnType type, ArrowLayout layout, int bytes, std::string stored) {
    out.info.type = type;
    out.layout = layout;
    out.bytes = bytes;
    out.info.stored = std::move(stored);
  }

  static bool is_uuid(const FlatTable& field) {
    const FlatVector pairs = field.vector(kMetadata, 4);
    for (std::size_t i = 0; i < pairs.size() && i < 100; ++i) {
      const FlatTable pair = pairs.table(i);
      if (pair.text(0) == "ARROW:extension:name" && pair.text(1) == "arrow.uuid") return true;
    }
    return false;
  }

  static void read_type(const FlatTable& field, ArrowField& out) {
    const FlatTable type = field.table(kType);
    switch (field.scalar<std::uint8_t>(kTypeType, 0)) {
      case kNull: return as(out, ColumnType::kInteger, ArrowLayout::kNull, 0, "null");
      case kBool: return as(out, ColumnType::kBoolean, ArrowLayout::kBits, 0, "bool");
      case kInt: return read_int(type, out);
      case kFloatingPoint: {
        const int precision = type.scalar<std::int16_t>(0, 0);
        if (precision < 0 || precision > 2) return;
        constexpr const char* kNames[] = {"float16", "float", "double"};
        return as(out, ColumnType::kNumber, ArrowLayout::kFloats, 2 << precision, kNames[precision]);
      }
      case kUtf8: return as(out, ColumnType::kText, ArrowLayout::kTexts, 4, "string");
      case kLargeUtf8: return as(out, ColumnType::kText, ArrowLayout::kTexts, 8, "large_string");
      case kUtf8View: return as(out, ColumnType::kText, ArrowLayout::kViews, 16, "string_view");
      case kBinary:
      case kLargeBinary:
      case kBinaryView:
      case kFixedSizeBinary: return read_bytes(field, type, out);
      case kDecimal: return read_decimal(type, out);
      case kDate:
        out.form.as = ValueForm::As::kDate;
        out.milliseconds = type.scalar<std::int16_t>(0, 1) == 1;
        return as(out, ColumnType::kText, ArrowLayout::kIntegers, out.milliseconds ? 8 : 4, "date");
      case kTime:
      case kTimestamp:
      case kDuration: return read_time(field.scalar<std::uint8_t>(kTypeType, 0), type, out);
      case kInterval: out.info.stored = "interval"; return;
      case kList: return read_list(field, type, 4, out);
      case kLargeList: return read_list(field, type, 8, out);
      case kFixedSizeList: return read_list(field, type, 0, out);
      default: out.info.stored = "nested";
    }
  }

  /// Stays a nested column; only lists of plain numbers can be looked into.
  static void read_list(const FlatTable& field, const FlatTable& type, int offset_bytes, ArrowField& out) {
    out.info.stored = "nested";
    const FlatVector children = field.vector(kChildren, 4);
    if (children.size() != 1 || field.has(kDictionary)) return;
    const FlatTable child = children.table(0);
    const int kind = child.scalar<std::uint8_t>(kTypeType, 0);
    if (child.has(kDictionary) || (kind != kInt && kind != kFloatingPoint)) return;
    ArrowField item;
    item.info.name = out.info.name;  // Errors name the column.
    read_type(child, item);
    item.buffers = 2;
    out.list_size = offset_bytes == 0 ? type.scalar<std::int32_t>(0, 0) : 0;
    if (item.layout == ArrowLayout::kNone || item.form.as != ValueForm::As::kPlain || out.list_size < 0) return;
    as(out, ColumnType::kNested, ArrowLayout::kLists, offset_bytes, fmt::format("list<{}>", item.info.stored));
    out.items.push_back(std::move(item));
  }

  static void read_int(const FlatTable& type, ArrowField& out) {
    const int bits = type.scalar<std::int32_t>(0, 0);
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64) return;
    out.is_signed = type.scalar<std::uint8_t>(1, 0) != 0;
    if (!out.is_signed && bits == 64) out.form.as = ValueForm::As::kUnsigned;
    as(out, ColumnType::kInteger, ArrowLayout::kIntegers, bits / 8,
       fmt::format("{}int{}", out.is_signed ? "" : "u", bits));
  }

  static void read_bytes(const FlatTable& field, const FlatTable& type, ArrowField& out) {
    constexpr int kMostBytes = 1 << 20;
    out.form.as = ValueForm::As::kBytes;
    switch (field.scalar<std::uint8_t>(kTypeType, 0)) {
      case kBinary: return as(out, ColumnType::kText, ArrowLayout::kTexts, 4, "bytes");
      case kLargeBinary: return as(out, ColumnType::kText, ArrowLayout::kTexts, 8, "bytes");
      case kBinaryView: return as(out, ColumnType::kText, ArrowLayout::kViews, 16, "bytes");
      default: break;
    }
    const int width = type.scalar<std::int32_t>(0, 0);
    out.info.stored = "bytes";
    if (width < 1 || width > kMostBytes) return;
    out.uuid = width == 16 && is_uuid(field);
    if (out.uuid) out.form = {};
    as(out, ColumnType::kText, ArrowLayout::kFixedBytes, width, out.uuid ? "uuid" : fmt::format("bytes[{}]", width));
  }

  static void read_decimal(const FlatTable& type, ArrowField& out) {
    const int precision = type.scalar<std::int32_t>(0, 0);
    const int scale = type.scalar<std::int32_t>(1, 0);
    const int bits = type.scalar<std::int32_t>(2, 128);
    out.info.stored = "decimal";
    if (precision < 1 || precision > 76 || scale < -76 || scale > 76) return;
    if (bits != 32 && bits != 64 && bits != 128 && bits != 256) return;
    out.form = {ValueForm::As::kDecimal, scale, false};
    out.long_decimal = precision > 18;
    as(out, ColumnType::kNumber, ArrowLayout::kDecimals, bits / 8, fmt::format("decimal({}, {})", precision, scale));
  }

  static void read_time(int kind, const FlatTable& type, ArrowField& out) {
    const int unit = type.scalar<std::int16_t>(0, kind == kTimestamp ? 0 : 1);
    out.info.stored = "time";
    if (unit < 0 || unit > 3) return;
    if (kind == kDuration)
      return as(out, ColumnType::kInteger, ArrowLayout::kIntegers, 8, fmt::format("duration[{}]", unit_name(unit)));
    if (kind == kTime) {
      const int bits = type.scalar<std::int32_t>(1, 32);
      if (bits != (unit < 2 ? 32 : 64)) return;
      out.form = {ValueForm::As::kTime, unit * 3, false};
      return as(out, ColumnType::kText, ArrowLayout::kIntegers, bits / 8, fmt::format("time[{}]", unit_name(unit)));
    }
    out.form = {ValueForm::As::kTimestamp, unit * 3, !type.text(1).empty()};
    as(out, ColumnType::kText, ArrowLayout::kIntegers, 8,
       fmt::format("timestamp[{}{}]", unit_name(unit), out.form.utc ? ", UTC" : ""));
  }

  static void read_dictionary(const FlatTable& dictionary, ArrowField& out) {
    out.dictionary = dictionary.scalar<std::int64_t>(0, 0);
    out.index_bytes = 4;
    if (dictionary.has(1)) {
      const FlatTable index = dictionary.table(1);
      out.index_bytes = index.scalar<std::int32_t>(0, 0) / 8;
      out.index_signed = index.scalar<std::uint8_t>(1, 0) != 0;
    }
    const bool known = out.index_bytes == 1 || out.index_bytes == 2 || out.index_bytes == 4 || out.index_bytes == 8;
    // A dictionary of nulls has no bytes, so nothing bounds how many it says it has.
    if (!known || out.layout == ArrowLayout::kNull) {
      out.layout = ArrowLayout::kNone;
      out.info.type = ColumnType::kNested;
    }
  }

  const int version_;
  std::size_t fields_ = 0;
};

}  // namespace

Result<std::vector<ArrowField>> read_arrow_schema(const std::string& name, const FlatTable& schema, const bool& ok,
                                                  int version) {
  if (version < 3 || version > kVersion5)
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is of version {} of Arrow's format.", name, version + 1),
                      "Write it again with Arrow 1.0 or later, or as Parquet.");
  if (schema.scalar<std::int16_t>(0, 0) != 0)
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is big-endian.", name),
                      "Write it on a little-endian machine, or as Parquet.");
  std::vector<ArrowField> out;
  SchemaReader reader(version);
  const FlatVector fields = schema.vector(1, 4);
  for (std::size_t i = 0; i < fields.size() && ok && !reader.too_large(); ++i)
    out.push_back(reader.read(fields.table(i)));
  for (const ArrowField& field : out)
    if (!is_utf8(field.info.name))
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("{} is not a sound Arrow file: a column's name is not UTF-8.", name),
                        "Write it again.");
  if (!ok || reader.too_large())
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} is not a sound Arrow file: its schema can't be read, or has more than {} fields.",
                                  name, kMaxFields),
                      "Write it again.");
  return out;
}

}  // namespace backstay::tables
