#pragma once

#include <cstdint>
#include <string_view>

/// Texts among the values of requests and answers, which are kept as numbers: each text has one that stands for it. The
/// same text has the same in every process, so recordings can be replayed with another policy. Two texts share one with
/// a probability of 1 in 8 million.
namespace backstay::traffic {

/// Below -1e30, where no number is taken for a value of its own.
float text_number(std::string_view text);

/// Up to here every whole number is a float: 7 digits.
inline constexpr double kLargestWhole = 16'777'216;

/// What a value that is written as a text is kept as: a number as JSON writes it is that number, true is 1, false is 0,
/// anything else a text. Codes stay texts: 007, +1, and whole numbers of which floats could not tell neighbours apart.
float value_of(std::string_view text);
/// The same of a header, which has no other way to write a number: the long ones are numbers, too.
float value_of_header(std::string_view text);
/// Whether it stands for a text.
inline bool is_text(double value) {
  return value <= -0x1p100 && value > -0x1p101;
}

}  // namespace backstay::traffic
