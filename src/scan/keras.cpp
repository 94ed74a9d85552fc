#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "domain/scan/imports.hpp"
#include "scan/visit.hpp"

// Keras writes a model as JSON: classes by name ("class_name": "Dense"), objects by module and name. A Lambda layer is
// marshalled byte code; a module can be any. The JSON is a file of its own, a member of a .keras archive, or an
// attribute somewhere in an HDF5 file, maybe as a string within a string. So this doesn't parse: it looks at what lies
// between quotation marks, three pieces at a time, which finds a key and its value at any depth and after any bytes.
namespace backstay::scan {

namespace {

constexpr std::size_t kLongestPiece = 256;

/// Undoes \uXXXX of ASCII, and the backslashes that escape quotation marks around it.
std::string plain(std::string text) {
  for (std::size_t at = 0; (at = text.find("\\u", at)) != std::string::npos;) {
    if (at + 6 > text.size()) break;
    const std::string digits = text.substr(at + 2, 4);
    const bool is_hex = digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    const unsigned long point = is_hex ? std::stoul(digits, nullptr, 16) : 0;
    if (!is_hex || point > 0x7F) {
      at += 2;
      continue;
    }
    std::size_t begin = at;
    while (begin > 0 && text[begin - 1] == '\\') --begin;
    text.replace(begin, at + 6 - begin, 1, static_cast<char>(point));
    at = begin + 1;
  }
  while (!text.empty() && text.back() == '\\') text.pop_back();
  return text;
}

bool is_colon(const std::string& between) {
  return between.find(':') != std::string::npos && between.find_first_not_of(": \t\r\n\\") == std::string::npos;
}

class KerasWords {
 public:
  KerasWords(Visit& visit, const Place& place) : visit_(visit), place_(place) {}

  void piece(std::string text, std::uint64_t at) {
    std::rotate(last_.begin(), last_.begin() + 1, last_.end());
    last_.back() = std::move(text);
    if (!is_colon(last_[1])) return;
    const std::string key = plain(last_[0]);
    if (key == "class_name" || key == "registered_name") judge_class(plain(last_[2]), at);
    if (key == "class_name") seen_ = true;
    if (key == "module") judge_module(plain(last_[2]), at);
  }

  void conclude() {
    if (!seen_) return;  // Some other JSON.
    for (const Finding& finding : found_)
      visit_.add(place_, finding.verdict, finding.kind.c_str(), finding.why, finding.offset, finding.import);
  }

 private:
  void found(Verdict verdict, const char* kind, std::string why, std::uint64_t at, std::string import = {}) {
    if (found_.size() < visit_.limits().findings)
      found_.push_back({verdict, kind, "", std::move(import), std::move(why), at});
  }

  void judge_class(const std::string& name, std::uint64_t at) {
    const std::size_t mark = name.rfind('>');
    const std::string last = mark == std::string::npos ? name : name.substr(mark + 1);
    if (last == "Lambda" || last == "__lambda__")
      found(Verdict::kDangerous, "lambda", "A Lambda layer holds Python byte code that runs with the model.", at, last);
    if (last == "TorchModuleWrapper" || last == "TFSMLayer" || last == "JaxLayer" || last == "FlaxLayer")
      found(Verdict::kSuspicious, "lambda", fmt::format("A {} runs code from another file or format.", last), at, last);
  }

  void judge_module(const std::string& module, std::uint64_t at) {
    const auto within = [&](std::string_view parent) {
      return module == parent || (module.starts_with(parent) && module[parent.size()] == '.');
    };
    for (const std::string_view tool : {"keras.utils", "keras.src.utils", "keras.config", "keras.src.config",
                                        "keras.saving", "keras.src.saving", "keras.src.legacy.saving"}) {
      if (within(tool))
        return found(Verdict::kDangerous, "import",
                     fmt::format("The model calls {}, which can fetch files or load code.", module), at, module);
    }
    const bool usual = module.empty() || within("keras") || within("keras_core") || within("tf_keras") ||
                       within("keras_hub") || within("keras_nlp") || within("keras_cv") || module == "builtins";
    if (usual || module.find_first_of(" /:") != std::string::npos) return;
    const Judgement judged = judge_import(module, "*");
    found(judged.verdict == Verdict::kDangerous ? Verdict::kDangerous : Verdict::kSuspicious, "import",
          fmt::format("The model imports {}, which isn't part of Keras.", module), at, module);
  }

  Visit& visit_;
  const Place& place_;
  std::array<std::string, 3> last_;
  std::vector<Finding> found_;
  bool seen_ = false;
};

}  // namespace

Result<void> scan_keras_text(Visit& visit, const ByteSource& bytes, const Place& place) {
  KerasWords words(visit, place);
  std::vector<std::byte> buffer(256 * 1024);
  std::string piece;
  std::uint64_t piece_at = 0;
  for (std::uint64_t at = 0; at < bytes.size();) {
    TRY(const std::size_t got, bytes.read_at(at, buffer));
    if (got == 0) break;
    const char* text = reinterpret_cast<const char*>(buffer.data());
    for (std::size_t from = 0; from < got;) {
      const void* quote = std::memchr(text + from, '"', got - from);
      const std::size_t end = quote != nullptr ? static_cast<std::size_t>(static_cast<const char*>(quote) - text) : got;
      piece.append(text + from, std::min(end - from, kLongestPiece - piece.size()));
      from = end + 1;
      if (quote == nullptr) break;
      words.piece(std::exchange(piece, {}), piece_at);
      piece_at = at + end + 1;
    }
    at += got;
  }
  words.conclude();
  return {};
}

}  // namespace backstay::scan
