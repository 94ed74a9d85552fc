#include "domain/scan/opcodes.hpp"

#include <array>

namespace backstay::scan {

namespace {

constexpr std::array<Opcode, kOpcodeCount> kOpcodes{{
    {0x28, "MARK", Argument::kNone, 0},
    {0x29, "EMPTY_TUPLE", Argument::kNone, 1},
    {0x2e, "STOP", Argument::kNone, 0},
    {0x30, "POP", Argument::kNone, 0},
    {0x31, "POP_MARK", Argument::kNone, 1},
    {0x32, "DUP", Argument::kNone, 0},
    {0x42, "BINBYTES", Argument::kCounted4, 3},
    {0x43, "SHORT_BINBYTES", Argument::kCounted1, 3},
    {0x46, "FLOAT", Argument::kLine, 0},
    {0x47, "BINFLOAT", Argument::kFloat8, 1},
    {0x49, "INT", Argument::kLine, 0},
    {0x4a, "BININT", Argument::kInt4, 1},
    {0x4b, "BININT1", Argument::kUint1, 1},
    {0x4c, "LONG", Argument::kLine, 0},
    {0x4d, "BININT2", Argument::kUint2, 1},
    {0x4e, "NONE", Argument::kNone, 0},
    {0x50, "PERSID", Argument::kLine, 0},
    {0x51, "BINPERSID", Argument::kNone, 1},
    {0x52, "REDUCE", Argument::kNone, 0},
    {0x53, "STRING", Argument::kLine, 0},
    {0x54, "BINSTRING", Argument::kCounted4, 1},
    {0x55, "SHORT_BINSTRING", Argument::kCounted1, 1},
    {0x56, "UNICODE", Argument::kLine, 0},
    {0x58, "BINUNICODE", Argument::kCounted4, 1},
    {0x5d, "EMPTY_LIST", Argument::kNone, 1},
    {0x61, "APPEND", Argument::kNone, 0},
    {0x62, "BUILD", Argument::kNone, 0},
    {0x63, "GLOBAL", Argument::kTwoLines, 0},
    {0x64, "DICT", Argument::kNone, 0},
    {0x65, "APPENDS", Argument::kNone, 1},
    {0x67, "GET", Argument::kLine, 0},
    {0x68, "BINGET", Argument::kUint1, 1},
    {0x69, "INST", Argument::kTwoLines, 0},
    {0x6a, "LONG_BINGET", Argument::kUint4, 1},
    {0x6c, "LIST", Argument::kNone, 0},
    {0x6f, "OBJ", Argument::kNone, 1},
    {0x70, "PUT", Argument::kLine, 0},
    {0x71, "BINPUT", Argument::kUint1, 1},
    {0x72, "LONG_BINPUT", Argument::kUint4, 1},
    {0x73, "SETITEM", Argument::kNone, 0},
    {0x74, "TUPLE", Argument::kNone, 0},
    {0x75, "SETITEMS", Argument::kNone, 1},
    {0x7d, "EMPTY_DICT", Argument::kNone, 1},
    {0x80, "PROTO", Argument::kUint1, 2},
    {0x81, "NEWOBJ", Argument::kNone, 2},
    {0x82, "EXT1", Argument::kUint1, 2},
    {0x83, "EXT2", Argument::kUint2, 2},
    {0x84, "EXT4", Argument::kInt4, 2},
    {0x85, "TUPLE1", Argument::kNone, 2},
    {0x86, "TUPLE2", Argument::kNone, 2},
    {0x87, "TUPLE3", Argument::kNone, 2},
    {0x88, "NEWTRUE", Argument::kNone, 2},
    {0x89, "NEWFALSE", Argument::kNone, 2},
    {0x8a, "LONG1", Argument::kCounted1, 2},
    {0x8b, "LONG4", Argument::kCounted4, 2},
    {0x8c, "SHORT_BINUNICODE", Argument::kCounted1, 4},
    {0x8d, "BINUNICODE8", Argument::kCounted8, 4},
    {0x8e, "BINBYTES8", Argument::kCounted8, 4},
    {0x8f, "EMPTY_SET", Argument::kNone, 4},
    {0x90, "ADDITEMS", Argument::kNone, 4},
    {0x91, "FROZENSET", Argument::kNone, 4},
    {0x92, "NEWOBJ_EX", Argument::kNone, 4},
    {0x93, "STACK_GLOBAL", Argument::kNone, 4},
    {0x94, "MEMOIZE", Argument::kNone, 4},
    {0x95, "FRAME", Argument::kUint8, 4},
    {0x96, "BYTEARRAY8", Argument::kCounted8, 5},
    {0x97, "NEXT_BUFFER", Argument::kNone, 5},
    {0x98, "READONLY_BUFFER", Argument::kNone, 5},
}};

constexpr std::array<std::int16_t, 256> by_code() {
  std::array<std::int16_t, 256> table{};
  for (auto& entry : table) entry = -1;
  for (std::size_t i = 0; i < kOpcodes.size(); ++i) table[kOpcodes[i].code] = static_cast<std::int16_t>(i);
  return table;
}
constexpr std::array<std::int16_t, 256> kByCode = by_code();

}  // namespace

const Opcode* find_opcode(std::uint8_t code) {
  const int index = kByCode[code];
  return index < 0 ? nullptr : &kOpcodes.at(static_cast<std::size_t>(index));
}

}  // namespace backstay::scan
