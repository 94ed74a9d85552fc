#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "domain/scan/pickle.hpp"

/// Prints the opcodes of pickles on standard input as the scanner walks them, for tests/e2e/test_pickle_walk.py to
/// compare with Python's own list. Input and output are frames: a line with the size in bytes, then the bytes; for
/// each, lines "OFFSET NAME" and a line "end OFFSET".
int main() {
  using namespace backstay;
  std::size_t size = 0;
  while (std::cin >> size) {
    std::cin.get();
    std::string bytes(size, '\0');
    std::cin.read(bytes.data(), static_cast<std::streamsize>(size));
    scan::PickleOptions options;
    options.pickles = 1;
    options.on_opcode = [](std::uint64_t offset, const scan::Opcode& opcode) {
      std::printf("%llu %s\n", static_cast<unsigned long long>(offset), opcode.name);
    };
    const auto found = scan::scan_pickle(scan::MemorySource(bytes), 0, options);
    if (!found) return 1;
    std::printf("end %llu\n", static_cast<unsigned long long>(found->pickles == 1 ? found->end : 0));
  }
  return 0;
}
