#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.hpp"

/// Runs a fuzz target without a fuzzer: on each file of its corpus and on seeded mutations of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kMutations = 2'000;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string mutated(std::string text, const std::vector<std::string>& corpus, backstay::Random& random) {
  for (std::uint64_t edits = 1 + random.below(4); edits > 0; --edits) {
    const auto at = static_cast<std::size_t>(random.below(text.size() + 1));
    switch (random.below(5)) {
      case 0: text.insert(at, 1, static_cast<char>(random.below(256))); break;
      case 1: text.erase(at, static_cast<std::size_t>(random.below(8))); break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(random.below(256));
        break;
      case 3: text.insert(at, text.substr(at / 2, static_cast<std::size_t>(random.below(16)))); break;
      default: {
        const std::string& other = corpus[static_cast<std::size_t>(random.below(corpus.size()))];
        text = text.substr(0, at) + other.substr(std::min(at, other.size()));
      }
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files(std::filesystem::directory_iterator(argv[1]), {});
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const std::filesystem::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "error: %s holds no file\n", argv[1]);
    return 2;
  }
  backstay::Random random(1);
  for (const std::string& text : corpus) {
    run(text);
    for (int i = 0; i < kMutations; ++i) run(mutated(text, corpus, random));
  }
  std::printf("%zu inputs and %d mutations of each\n", corpus.size(), kMutations);
  return 0;
}
