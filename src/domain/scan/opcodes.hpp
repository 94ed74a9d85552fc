#pragma once

#include <cstdint>

namespace backstay::scan {

/// How an opcode's argument is written in the stream (Lib/pickletools.py).
enum class Argument : std::uint8_t {
  kNone,
  kUint1,  ///< Little-endian numbers.
  kUint2,
  kUint4,
  kInt4,
  kUint8,
  kFloat8,    ///< Big-endian double.
  kLine,      ///< Text up to a newline: numbers, quoted strings.
  kTwoLines,  ///< A module and a name.
  kCounted1,  ///< A count of 1, 4 or 8 bytes, then that many bytes.
  kCounted4,
  kCounted8,
};

struct Opcode {
  std::uint8_t code = 0;
  const char* name = nullptr;
  Argument argument = Argument::kNone;
  std::uint8_t protocol = 0;  ///< The first that has it.
};

inline constexpr int kOpcodeCount = 68;  ///< Of protocols 0 to 5.

/// Null when no protocol has that opcode.
const Opcode* find_opcode(std::uint8_t code);

}  // namespace backstay::scan
