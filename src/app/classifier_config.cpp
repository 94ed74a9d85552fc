#include "app/classifier_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "classify/http_classifier.hpp"
#include "classify/lexicon_classifier.hpp"

namespace backstay::app {

namespace {

using Kind = ClassifierConfig::Kind;

void read_classifier(wire::Fields& fields, const std::filesystem::path& folder, ClassifierConfig& out) {
  fields.required("name", out.name);
  std::string kind;
  std::string file;
  fields.required("kind", kind);
  fields.optional("terms", out.terms);
  fields.optional("file", file);
  fields.optional("url", out.url);
  fields.optional("score", out.score);
  fields.optional("timeout", out.timeout);
  fields.optional("text", out.text);
  fields.optional("waiting", out.waiting);
  if (!file.empty()) out.file = folder / file;
  if (kind == "http") {
    out.kind = Kind::kHttp;
    if (!out.url.starts_with("http://") && !out.url.starts_with("https://"))
      fields.fail("url", "is not an http or https address", "Write it like http://127.0.0.1:9009/judge.");
    if (!out.terms.empty() || !file.empty())
      fields.fail("terms", "is for a lexicon", "A classifier of kind http takes url, score and timeout.");
  } else if (kind == "lexicon") {
    if (out.terms.empty() == file.empty())
      fields.fail("terms", "or file must be given, and not both",
                  "Write terms: [word, two words], or file: words.txt.");
    if (!out.url.empty()) fields.fail("url", "is for a classifier of kind http", "Leave it out.");
  } else {
    fields.fail("kind", fmt::format("is '{}'", kind), "Use one of: lexicon, http.");
  }
  for (const auto& [key, pointer] : {std::pair{"score", &out.score}, std::pair{"text", &out.text}})
    if (!pointer->empty() && pointer->front() != '/')
      fields.fail(key, "doesn't start with '/'", "Write it like /choices/0/message/content.");
  if (out.timeout <= milliseconds{0} || out.timeout > std::chrono::minutes{1})
    fields.fail("timeout", "is not above zero and at most 1m", "Write it like 2s.");
  if (out.waiting == 0 || out.waiting > 100'000)
    fields.fail("waiting", "is not from 1 to 100,000", "Leave it out for 256.");
}

}  // namespace

void read_classifiers(wire::Fields& fields, const std::filesystem::path& folder, std::vector<ClassifierConfig>& out) {
  std::set<std::string> names;
  fields.each("classifiers", [&](wire::Fields& item) {
    ClassifierConfig& classifier = out.emplace_back();
    read_classifier(item, folder, classifier);
    if (!names.insert(classifier.name).second)
      item.fail("name", fmt::format("is '{}' a second time", classifier.name), "Give each its own.");
  });
}

Result<void> check_examiners(const std::string& endpoint, const std::vector<std::string>& examiners,
                             const std::vector<ClassifierConfig>& classifiers) {
  for (const std::string& name : examiners) {
    const bool known = name.empty() || std::any_of(classifiers.begin(), classifiers.end(),
                                                   [&](const ClassifierConfig& item) { return item.name == name; });
    if (!known)
      return Unexpected(
          ErrorCode::kInvalidArgument,
          fmt::format("A guardrail of endpoint '{}' takes the classifier '{}', which there is not.", endpoint, name),
          "Declare it: classifiers: [{name: ..., kind: lexicon, terms: [...]}].");
  }
  return {};
}

Result<std::vector<monitor::ExaminerConfig>> make_examiners(const std::vector<std::string>& examiners,
                                                            const std::vector<ClassifierConfig>& classifiers,
                                                            const Messenger& messenger, const ReadFile& read) {
  std::vector<monitor::ExaminerConfig> out;
  for (const std::string& name : examiners) {
    monitor::ExaminerConfig& examiner = out.emplace_back();
    examiner.name = name;
    const auto found = std::find_if(classifiers.begin(), classifiers.end(),
                                    [&](const ClassifierConfig& item) { return item.name == name; });
    if (name.empty() || found == classifiers.end()) continue;
    examiner.json_pointer = found->text;
    examiner.waiting = static_cast<std::size_t>(found->waiting);
    if (found->kind == Kind::kHttp) {
      examiner.classifier = std::make_shared<classify::HttpClassifier>(
          messenger, classify::HttpClassifier::Config{found->url, found->score, found->timeout, {}});
      continue;
    }
    if (found->file.empty()) {
      TRY(classify::LexiconClassifier lexicon, classify::LexiconClassifier::from_terms(found->terms));
      examiner.classifier = std::make_shared<classify::LexiconClassifier>(std::move(lexicon));
    } else {
      TRY(const std::string text, read(found->file));
      auto lexicon = classify::LexiconClassifier::from_lines(text);
      if (!lexicon) return Unexpected(std::move(lexicon).error().within(found->file.string()));
      examiner.classifier = std::make_shared<classify::LexiconClassifier>(*std::move(lexicon));
    }
  }
  return out;
}

}  // namespace backstay::app
