#include <fmt/format.h>

#include "backend.hpp"

/// bench-backend ADDRESS...: answers every request on every address, on one thread.
int main(int argc, char** argv) {
  using namespace backstay;
  bench::Backend backend;
  for (int i = 1; i < argc; ++i) {
    const auto address = gateway::Address::parse(argv[i]);
    const auto listening =
        address ? backend.listen(*address, bench::small_answer) : Result<gateway::Address>(Unexpected(address.error()));
    if (!listening) {
      fmt::print(stderr, "error: {}\n", listening.error().message);
      return 1;
    }
  }
  backend.run();
}
