#include "domain/search/facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace backstay::search {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string cut(std::string text) {
  if (text.size() <= kMaxFactBytes) return text;
  std::size_t end = kMaxFactBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text;
}

class Facts {
 public:
  void add(const std::string& key, const std::string& text) {
    if (!text.empty()) pairs_.emplace(cut(key), cut(text));
  }
  /// For fields that are ordered as version numbers.
  void add_release(const std::string& key, const std::string& text) {
    add(key, text);
    if (!text.empty()) add(release_key_of(key), release_key(text));
  }
  std::vector<Fact> take() const {
    std::vector<Fact> facts;
    facts.reserve(pairs_.size());
    for (const auto& [key, text] : pairs_) facts.push_back({key, text, number_of(text)});
    return facts;
  }

 private:
  std::set<std::pair<std::string, std::string>> pairs_;
};

// The length of a number without leading zeros, then its digits: the longer number is the greater.
std::string number_key(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return fmt::format("{:04}{}", digits.size(), digits);
}

}  // namespace

std::vector<Fact> facts_of(const registry::Manifest& manifest) {
  Facts facts;
  for (const registry::Artifact& artifact : manifest.artifacts) {
    facts.add("artifact.path", artifact.path);
    facts.add("artifact.sha256", artifact.sha256.hex());
    facts.add("artifact.size", fmt::to_string(artifact.size_bytes));
  }
  facts.add("code.commit", manifest.code.commit);
  facts.add("code.repository", manifest.code.repository);
  if (!manifest.code.commit.empty())
    facts.add("code.dirty", manifest.code.dirty_diff_sha256.empty() ? "false" : "true");
  facts.add("code.command", manifest.code.command);
  for (const registry::FileDigest& file : manifest.code.preprocessing) facts.add("code.preprocessing", file.path);
  for (const registry::DataSet& set : manifest.data) {
    facts.add("data.set", set.name);
    facts.add("data.role", set.role);
    facts.add("data.uri", set.uri);
    facts.add("data.profile_sha256", set.profile_sha256);
    for (const registry::DataSlice& slice : set.slices) {
      facts.add("data.slice", slice.name);
      facts.add("data.slice", set.name + "/" + slice.name);
      facts.add("data.sha256", slice.sha256.hex());
      facts.add("data.profile_sha256", slice.profile_sha256);
      facts.add("data.note", slice.note);
      if (slice.rows != 0) facts.add("data.rows", fmt::to_string(slice.rows));
    }
  }
  for (const auto& [key, value] : manifest.config) facts.add("config." + key, value);
  facts.add_release("environment.image", manifest.environment.image);
  facts.add_release("environment.os", manifest.environment.os);
  facts.add_release("environment.hardware", manifest.environment.hardware);
  facts.add_release("environment.python", manifest.environment.python);
  facts.add_release("environment.pinning", manifest.environment.pinning);
  for (const registry::FileDigest& file : manifest.environment.lock_files)
    facts.add_release("environment.lock_file", file.path);
  for (const auto& [name, version] : manifest.environment.frameworks) facts.add_release("environment." + name, version);
  for (const registry::Dependency& dependency : manifest.dependencies) {
    facts.add("dependency", dependency.name);
    facts.add("dependency", dependency.kind);
    facts.add("dependency", dependency.direction);
    facts.add_release("dependency." + dependency.name,
                      dependency.version.empty() ? dependency.schema_sha256 : dependency.version);
  }
  const auto add_tensors = [&](const std::string& key, const std::vector<registry::TensorSpec>& tensors) {
    for (const registry::TensorSpec& tensor : tensors) {
      facts.add(key, tensor.name);
      facts.add(key, tensor.name + ":" + tensor.datatype);
    }
  };
  add_tensors("signature.input", manifest.signature.inputs);
  add_tensors("signature.output", manifest.signature.outputs);
  facts.add("serving.runtime", manifest.serving.runtime);
  facts.add("serving.entry", manifest.serving.entry);
  for (const registry::VersionRef& parent : manifest.parents) facts.add("parent", parent.str());
  for (const std::string& parent : manifest.external_parents) facts.add("parent", parent);
  return facts.take();
}

std::vector<Fact> facts_of(const registry::Scorecard& scorecard) {
  Facts facts;
  facts.add("scorecard.kind", registry::to_string(scorecard.kind));
  facts.add("scorecard.dataset", scorecard.dataset);
  facts.add("scorecard.evaluator", scorecard.evaluator);
  return facts.take();
}

std::string release_key_of(const std::string& key) {
  return key + "\x1f";  // No name that the language can write has this byte.
}

std::string release_key(std::string_view text) {
  std::string key;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end == i) {
      key += text[i++];
    } else {
      key += number_key(text.substr(i, end - i));
      i = end;
    }
  }
  return cut(key);
}

std::string version_key(const registry::SemanticVersion& version) {
  std::string key;
  for (const std::uint64_t number : {version.major, version.minor, version.patch})
    key += number_key(fmt::to_string(number));
  if (version.pre_release.empty()) return key + "~";  // A release comes after its pre-releases.
  for (std::string_view rest = version.pre_release; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('.'));
    const bool number = std::all_of(part.begin(), part.end(), is_digit);
    // Numbers before words. '!' is less than every byte of a word: "a" before "a-b".
    key += number ? "0" + number_key(part) : "1" + std::string(part) + "!";
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  return key;
}

std::optional<double> number_of(std::string_view text) {
  // Not "inf", "nan" or "0x1": numbers as JSON has them, and ".5".
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  if (text.size() <= first || (!is_digit(text[first]) && text[first] != '.')) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

}  // namespace backstay::search
