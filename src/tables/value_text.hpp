#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// How values are written: for people, and in canonical forms, of which docs/registering.md tells.
namespace backstay::tables {

/// As Python's json.dumps(text, ensure_ascii=False) does.
void append_json(std::string& out, std::string_view text);

/// The shortest text that reads back as the same number, as Python's repr() writes it: 1.0, 1e+16, nan, -inf.
void append_double(std::string& out, double number);

/// The days after 1970-01-01 as YYYY-MM-DD in the proleptic Gregorian calendar; years of more than four digits or
/// before 0 with their sign (ISO 8601, 4.1.2.4).
void append_date(std::string& out, std::int64_t days);

/// HH:MM:SS; `digits` is how many of `ticks` are after the second: 0, 3, 6 or 9. The fraction is left out when it is
/// zero and has 6 digits, or 9 where 6 are not enough: the same instant is the same text in every unit.
void append_time(std::string& out, std::int64_t ticks, int digits);

/// Date, T and time after 1970-01-01T00:00:00; with Z when it is an instant.
void append_timestamp(std::string& out, std::int64_t ticks, int digits, bool utc);

/// An unscaled number with `scale` digits after the point, without an exponent. A negative scale adds zeros.
void append_decimal(std::string& out, std::int64_t unscaled, int scale);

/// The same of a two's complement number of up to 32 bytes, most significant first.
void append_decimal(std::string& out, std::string_view big_endian, int scale);

/// 0x and hexadecimal digits.
void append_hex(std::string& out, std::string_view bytes);

/// 16 bytes as 8-4-4-4-12 hexadecimal digits.
void append_uuid(std::string& out, std::string_view bytes);

/// IEEE 754 half precision.
double half_to_double(std::uint16_t bits);

}  // namespace backstay::tables
