#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "domain/registry/manifest.hpp"
#include "wire/lock_files.hpp"

namespace backstay::wire {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  while (true) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return out;
    line.remove_prefix(first);
    const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    out.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

/// The words that end the here-documents a line begins: <<EOF, <<-"EOF".
std::vector<std::string> here_documents(std::string_view line) {
  std::vector<std::string> out;
  for (std::size_t at = line.find("<<"); at != std::string_view::npos; at = line.find("<<", at + 2)) {
    std::string_view rest = line.substr(at + 2);
    if (rest.starts_with('-')) rest.remove_prefix(1);
    if (!rest.empty() && (rest.front() == '"' || rest.front() == '\'')) rest.remove_prefix(1);
    const auto end =
        std::find_if(rest.begin(), rest.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '_'; });
    if (end != rest.begin()) out.emplace_back(rest.begin(), end);
  }
  return out;
}

class DockerfileReader {
 public:
  LockReport read(std::string_view text) {
    std::string instruction;
    std::vector<std::string> waiting;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
      const std::size_t first = line.find_first_not_of(" \t");
      if (!waiting.empty()) {
        if (first != std::string_view::npos && line.substr(first) == waiting.front()) waiting.erase(waiting.begin());
        continue;
      }
      if (first == std::string_view::npos || line[first] == '#') continue;
      if (line.ends_with('\\')) {
        instruction.append(line.substr(0, line.size() - 1)).push_back(' ');
        continue;
      }
      instruction.append(line);
      take(instruction);
      waiting = here_documents(instruction);
      instruction.clear();
    }
    if (!instruction.empty()) take(instruction);
    if (!has_from_) out_.finding(Pinning::kUnpinned, "it has no FROM");
    return std::move(out_);
  }

 private:
  void take(const std::string& line) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) return;
    const std::string name = lower(words[0]);
    if (name == "from") return take_from(words);
    for (const std::string& word : words) {
      if (word.starts_with("--from=")) check_image(word.substr(7));
      if (word.starts_with("--mount="))
        if (const std::size_t at = word.find("from="); at != std::string::npos)
          check_image(word.substr(at + 5, word.find(',', at) - at - 5));
    }
  }

  void take_from(const std::vector<std::string>& words) {
    has_from_ = true;
    std::size_t at = 1;
    while (at < words.size() && words[at].starts_with("--")) ++at;
    if (at < words.size()) check_image(words[at]);
    if (at + 2 < words.size() && lower(words[at + 1]) == "as") stages_.insert(lower(words[at + 2]));
  }

  void check_image(const std::string& image) {
    const bool number = !image.empty() && image.find_first_not_of("0123456789") == std::string::npos;
    if (image == "scratch" || number || stages_.count(lower(image)) > 0) return;
    if (image.find('$') != std::string::npos) {
      out_.finding(Pinning::kUnpinned, fmt::format("the image {} depends on an argument", image));
    } else if (!registry::is_pinned_image(image)) {
      out_.finding(Pinning::kUnpinned, fmt::format("the image {} has no digest", image));
    }
  }

  LockReport out_;
  std::set<std::string> stages_;
  bool has_from_ = false;
};

}  // namespace

LockReport read_dockerfile(std::string_view text) {
  return DockerfileReader().read(text);
}

}  // namespace backstay::wire
