#pragma once

#include <cstdint>
#include <string_view>

/// Texts among the values of requests and answers, which are kept as numbers: each text has one that stands for it. The
/// same text has the same in every process, so recordings can be replayed with another policy. Two texts share one with
/// a probability of 1 in 8 million.
namespace backstay::traffic {

/// Below -1e30, where no number is taken for a value of its own.
float text_number(std::string_view text);
/// Whether it stands for a text.
inline bool is_text(double value) {
  return value <= -0x1p100 && value > -0x1p101;
}

}  // namespace backstay::traffic
