#include "tables/parquet_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::tables {

namespace {

using T = ThriftType;
using Logical = ParquetElement::Logical;

// parquet.thrift: ConvertedType, the annotation of old.
void read_converted(std::int64_t converted, ParquetElement& out) {
  const auto whole = [&](int bits, bool is_signed) {
    out.logical = Logical::kInteger;
    out.bits = bits;
    out.is_signed = is_signed;
  };
  const auto time = [&](Logical logical, int digits) {
    out.logical = logical;
    out.digits = digits;
    out.utc = true;  // LogicalTypes.md: of old there are instants only.
  };
  switch (converted) {
    case 0:                                        // UTF8
    case 4:                                        // ENUM
    case 19: out.logical = Logical::kText; break;  // JSON
    case 5: out.logical = Logical::kDecimal; break;
    case 6: out.logical = Logical::kDate; break;
    case 7: time(Logical::kTime, 3); break;
    case 8: time(Logical::kTime, 6); break;
    case 9: time(Logical::kTimestamp, 3); break;
    case 10: time(Logical::kTimestamp, 6); break;
    case 11: whole(8, false); break;
    case 12: whole(16, false); break;
    case 13: whole(32, false); break;
    case 14: whole(64, false); break;
    case 15: whole(8, true); break;
    case 16: whole(16, true); break;
    case 17: whole(32, true); break;
    case 18: whole(64, true); break;
    case 20: out.logical = Logical::kBytes; break;  // BSON
    default: out.logical = Logical::kOther;
  }
}

void read_time(ThriftReader& in, Logical logical, ParquetElement& out) {
  out.logical = logical;
  out.utc = false;
  in.fields([&](int id, T type) {
    if (id == 1) out.utc = type == T::kTrue;
    if (id != 2 || type != T::kStruct) return in.skip(type);
    in.fields([&](int unit, T kind) {
      out.digits = unit >= 1 && unit <= 3 ? unit * 3 : 0;
      in.skip(kind);
    });
  });
}

void read_logical(ThriftReader& in, ParquetElement& out) {
  in.fields([&](int id, T type) {
    if (type != T::kStruct) return in.skip(type);
    switch (id) {
      case 1:
      case 4:
      case 12: out.logical = Logical::kText; return in.skip(type);
      case 5: out.logical = Logical::kDecimal; return in.skip(type);  // Its digits are in the element, too.
      case 6: out.logical = Logical::kDate; return in.skip(type);
      case 7: return read_time(in, Logical::kTime, out);
      case 8: return read_time(in, Logical::kTimestamp, out);
      case 10:
        out.logical = Logical::kInteger;
        in.fields([&](int field, T kind) {
          if (field == 1) {
            out.bits = static_cast<int>(in.integer(kind));
          } else {
            if (field == 2) out.is_signed = kind == T::kTrue;
            in.skip(kind);
          }
        });
        return;
      case 11: out.logical = Logical::kNothing; return in.skip(type);
      case 13: out.logical = Logical::kBytes; return in.skip(type);
      case 14: out.logical = Logical::kUuid; return in.skip(type);
      case 15: out.logical = Logical::kHalf; return in.skip(type);
      default: out.logical = Logical::kOther; return in.skip(type);
    }
  });
}

const char* unit_name(int digits) {
  return digits == 3 ? "ms" : digits == 6 ? "us" : "ns";
}

class ColumnMaker {
 public:
  explicit ColumnMaker(const ParquetElement& element) : element_(element) {
    out_.info.name = element.name;
    out_.info.type = ColumnType::kNested;
    out_.optional = element.optional;
  }

  ParquetLayout::Column make() {
    if (element_.children > 0 || element_.repeated || element_.type < 0 || element_.type > 7) {
      out_.info.stored = element_.repeated ? "list" : "nested";
      return out_;
    }
    out_.type = static_cast<ParquetType>(element_.type);
    switch (out_.type) {
      case ParquetType::kBoolean: return as(ColumnType::kBoolean, "bool");
      case ParquetType::kInt32:
      case ParquetType::kInt64: return whole();
      case ParquetType::kInt96:
        out_.convert = ParquetLayout::Convert::kInt96;
        out_.form = {ValueForm::As::kTimestamp, 9, false};
        return as(ColumnType::kText, "timestamp[ns] (INT96)");
      case ParquetType::kFloat: return as(ColumnType::kNumber, "float");
      case ParquetType::kDouble: return as(ColumnType::kNumber, "double");
      case ParquetType::kByteArray:
      case ParquetType::kFixedBytes: return bytes();
    }
    return out_;
  }

 private:
  ParquetLayout::Column as(ColumnType type, std::string stored) {
    out_.info.type = type;
    out_.info.stored = std::move(stored);
    return out_;
  }

  ParquetLayout::Column unread(std::string stored) {
    out_.info.stored = std::move(stored);
    return out_;
  }

  ParquetLayout::Column whole() {
    const int bits = out_.type == ParquetType::kInt32 ? 32 : 64;
    switch (element_.logical) {
      case Logical::kNone: return as(ColumnType::kInteger, fmt::format("int{}", bits));
      case Logical::kInteger:
        out_.width = element_.bits;
        if (out_.width != 8 && out_.width != 16 && out_.width != 32 && out_.width != 64) return unread("integer");
        if (out_.width > bits) return unread("integer");
        if (!element_.is_signed && out_.width == 64) out_.form.as = ValueForm::As::kUnsigned;
        if (!element_.is_signed && out_.width < 64) out_.convert = ParquetLayout::Convert::kUnsigned;
        return as(ColumnType::kInteger, fmt::format("{}int{}", element_.is_signed ? "" : "u", out_.width));
      case Logical::kDecimal: return decimal();
      case Logical::kDate:
        if (bits != 32) return unread("date");
        out_.form.as = ValueForm::As::kDate;
        return as(ColumnType::kText, "date");
      case Logical::kTime:
        if ((element_.digits == 3) != (bits == 32) || element_.digits == 0) return unread("time");
        out_.form = {ValueForm::As::kTime, element_.digits, false};
        return as(ColumnType::kText, fmt::format("time[{}]", unit_name(element_.digits)));
      case Logical::kTimestamp:
        if (bits != 64 || element_.digits == 0) return unread("timestamp");
        out_.form = {ValueForm::As::kTimestamp, element_.digits, element_.utc};
        return as(ColumnType::kText,
                  fmt::format("timestamp[{}{}]", unit_name(element_.digits), element_.utc ? ", UTC" : ""));
      case Logical::kNothing: return as(ColumnType::kInteger, "null");
      default: return unread("unknown annotation");
    }
  }

  ParquetLayout::Column decimal() {
    constexpr int kMostDigits = 76;
    if (element_.precision < 1 || element_.precision > kMostDigits || element_.scale < 0 ||
        element_.scale > element_.precision)
      return unread("decimal");
    out_.form = {ValueForm::As::kDecimal, element_.scale, false};
    return as(ColumnType::kNumber, fmt::format("decimal({}, {})", element_.precision, element_.scale));
  }

  ParquetLayout::Column bytes() {
    const bool fixed = out_.type == ParquetType::kFixedBytes;
    out_.width = element_.width;
    constexpr int kMostBytes = 1 << 20;
    if (fixed && (out_.width < 1 || out_.width > kMostBytes)) return unread("bytes");
    switch (element_.logical) {
      case Logical::kText:
        if (!fixed) return as(ColumnType::kText, "string");
        break;
      case Logical::kDecimal:
        if (fixed && out_.width > 32) return unread("decimal");
        out_.convert =
            element_.precision <= 18 ? ParquetLayout::Convert::kShortDecimal : ParquetLayout::Convert::kLongDecimal;
        return decimal();
      case Logical::kUuid:
        if (!fixed || out_.width != 16) return unread("uuid");
        out_.convert = ParquetLayout::Convert::kUuid;
        return as(ColumnType::kText, "uuid");
      case Logical::kHalf:
        if (!fixed || out_.width != 2) return unread("float16");
        out_.convert = ParquetLayout::Convert::kHalf;
        return as(ColumnType::kNumber, "float16");
      case Logical::kNone:
      case Logical::kBytes: break;
      case Logical::kNothing: return as(ColumnType::kText, "null");
      default: return unread("unknown annotation");
    }
    out_.form.as = ValueForm::As::kBytes;
    return as(ColumnType::kText, fixed ? fmt::format("bytes[{}]", out_.width) : "bytes");
  }

  const ParquetElement& element_;
  ParquetLayout::Column out_;
};

}  // namespace

ParquetElement read_parquet_element(ThriftReader& in) {
  ParquetElement out;
  bool is_logical = false;
  in.fields([&](int id, T type) {
    switch (id) {
      case 1: out.type = static_cast<int>(in.integer(type)); break;
      case 2: out.width = static_cast<int>(in.integer(type)); break;
      case 3: {
        const std::int64_t repetition = in.integer(type);
        out.optional = repetition == 1;
        out.repeated = repetition == 2;
        break;
      }
      case 4: out.name = std::string(in.binary(type)); break;
      case 5: out.children = in.integer(type); break;
      case 6: {
        const std::int64_t converted = in.integer(type);
        if (!is_logical) read_converted(converted, out);
        break;
      }
      case 7: out.scale = static_cast<int>(in.integer(type)); break;
      case 8: out.precision = static_cast<int>(in.integer(type)); break;
      case 10:
        if (type == T::kStruct) {
          is_logical = true;
          read_logical(in, out);
          break;
        }
        [[fallthrough]];
      default: in.skip(type);
    }
  });
  return out;
}

ParquetLayout::Column parquet_column(const ParquetElement& element) {
  return ColumnMaker(element).make();
}

ParquetLayout::Column parquet_field(std::span<const ParquetElement> field) {
  ParquetLayout::Column out = parquet_column(field[0]);
  constexpr std::size_t kDeepest = 3;  // LIST, its repeated group, the item; or the item repeats, as of old.
  if (field.size() > kDeepest) return out;
  ParquetLayout::ListLevels levels;
  int level = 0;
  int repeated = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const ParquetElement& element = field[i];
    if (element.repeated) {
      levels.there = level;
      levels.item = ++level;
      if (++repeated > 1 || i == 2) return out;
    } else if (element.optional) {
      ++level;
    }
    if (element.children > 1 || (element.children <= 0) != (i + 1 == field.size())) return out;
  }
  if (repeated == 0) return out;
  levels.value = level;
  ParquetElement leaf = field.back();
  leaf.repeated = false;
  const ParquetLayout::Column item = parquet_column(leaf);
  const bool is_number = item.info.type == ColumnType::kInteger || item.info.type == ColumnType::kNumber;
  if (!is_number || item.form.as != ValueForm::As::kPlain) return out;
  out.info.stored = fmt::format("list<{}>", item.info.stored);
  out.type = item.type;
  out.convert = item.convert;
  out.width = item.width;
  out.list = levels;
  return out;
}

}  // namespace backstay::tables
