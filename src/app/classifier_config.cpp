#include "app/classifier_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "classify/http_classifier.hpp"
#include "classify/lexicon_classifier.hpp"
#include "classify/model_classifier.hpp"
#include "wire/suite_yaml.hpp"

namespace backstay::app {

namespace {

using Kind = ClassifierConfig::Kind;

/// Keys that classifiers of one kind have and others don't.
struct Own {
  const char* key;
  Kind kind;
};
constexpr Own kOwn[] = {{"terms", Kind::kLexicon}, {"file", Kind::kLexicon}, {"url", Kind::kHttp},
                        {"score", Kind::kHttp},    {"model", Kind::kModel},  {"input", Kind::kModel},
                        {"output", Kind::kModel},  {"index", Kind::kModel},  {"backend", Kind::kModel}};

const char* word(Kind kind) {
  switch (kind) {
    case Kind::kLexicon: return "lexicon";
    case Kind::kHttp: return "http";
    case Kind::kModel: return "model";
  }
  return "lexicon";
}

void check_model(wire::Fields& fields, const ClassifierConfig& classifier) {
  if (classifier.model.empty())
    return fields.fail("model", "is missing", "Name a version of the registry: model: toxic-text@1.2.0");
  if (auto pinned = registry::VersionRef::parse(classifier.model); !pinned)
    fields.fail("model", "is refused: " + pinned.error().message, pinned.error().hint);
}

void read_classifier(wire::Fields& fields, const std::filesystem::path& folder, ClassifierConfig& out) {
  fields.required("name", out.name);
  std::string kind;
  std::string file;
  fields.required("kind", kind);
  fields.optional("terms", out.terms);
  fields.optional("file", file);
  fields.optional("url", out.url);
  fields.optional("score", out.score);
  fields.optional("model", out.model);
  fields.optional("input", out.input);
  fields.optional("output", out.output);
  fields.optional("index", out.index);
  out.backend.answer_timeout = out.timeout;
  wire::read_backend_choice(fields, out.backend);
  fields.optional("timeout", out.timeout);
  fields.optional("text", out.text);
  fields.optional("waiting", out.waiting);
  if (!file.empty()) out.file = folder / file;
  if (kind == "http") {
    out.kind = Kind::kHttp;
    if (!out.url.starts_with("http://") && !out.url.starts_with("https://"))
      fields.fail("url", "is not an http or https address", "Write it like http://127.0.0.1:9009/judge.");
  } else if (kind == "model") {
    out.kind = Kind::kModel;
    check_model(fields, out);
  } else if (kind == "lexicon") {
    if (out.terms.empty() == file.empty())
      fields.fail("terms", "or file must be given, and not both",
                  "Write terms: [word, two words], or file: words.txt.");
  } else {
    fields.fail("kind", fmt::format("is '{}'", kind), "Use one of: lexicon, http, model.");
  }
  for (const Own& own : kOwn)
    if (own.kind != out.kind && fields.has(own.key))
      fields.fail(own.key, fmt::format("is for a classifier of kind {}", word(own.kind)), "Leave it out.");
  if (fields.has("timeout")) out.backend.answer_timeout = out.timeout;
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

Result<std::shared_ptr<classify::ServedVersion>> ExaminerFactory::serve(const ClassifierConfig& config) {
  TRY(const registry::VersionRef ref, registry::VersionRef::parse(config.model));
  for (const Served& served : served_)
    if (served.ref == ref && served.backend == config.backend) return served.version;
  if (auto usable = ports_.check_model(ref); !usable)
    return Unexpected(std::move(usable).error().within(fmt::format("The classifier '{}'", config.name)));
  auto version = std::make_shared<classify::ServedVersion>(
      config.model, [start = ports_.start_model, ref, backend = config.backend](const std::stop_token& stop) {
        return start(ref, backend, stop);
      });
  served_.push_back({ref, config.backend, version});
  return version;
}

Result<std::shared_ptr<Classifier>> ExaminerFactory::make_lexicon(const ClassifierConfig& config) const {
  const auto lexicon_of = [&]() -> Result<classify::LexiconClassifier> {
    if (config.file.empty()) return classify::LexiconClassifier::from_terms(config.terms);
    TRY(const std::string text, ports_.read(config.file));
    auto lexicon = classify::LexiconClassifier::from_lines(text);
    if (!lexicon) return Unexpected(std::move(lexicon).error().within(config.file.string()));
    return lexicon;
  };
  TRY(classify::LexiconClassifier lexicon, lexicon_of());
  return std::shared_ptr<Classifier>(std::make_shared<classify::LexiconClassifier>(std::move(lexicon)));
}

Result<std::shared_ptr<Classifier>> ExaminerFactory::make_classifier(const ClassifierConfig& config) {
  switch (config.kind) {
    case Kind::kLexicon: return make_lexicon(config);
    case Kind::kHttp:
      return std::shared_ptr<Classifier>(std::make_shared<classify::HttpClassifier>(
          ports_.messenger, classify::HttpClassifier::Config{config.url, config.score, config.timeout, {}}));
    case Kind::kModel: break;
  }
  TRY(std::shared_ptr<classify::ServedVersion> version, serve(config));
  return std::shared_ptr<Classifier>(std::make_shared<classify::ModelClassifier>(
      services::ScorePlace{config.model, config.input, config.output, config.index}, std::move(version)));
}

Result<std::vector<monitor::ExaminerConfig>> ExaminerFactory::make(const std::vector<std::string>& examiners,
                                                                   const std::vector<ClassifierConfig>& classifiers) {
  std::vector<monitor::ExaminerConfig> out;
  for (const std::string& name : examiners) {
    monitor::ExaminerConfig& examiner = out.emplace_back();
    examiner.name = name;
    const auto found = std::find_if(classifiers.begin(), classifiers.end(),
                                    [&](const ClassifierConfig& item) { return item.name == name; });
    if (name.empty() || found == classifiers.end()) continue;
    examiner.json_pointer = found->text;
    examiner.waiting = static_cast<std::size_t>(found->waiting);
    TRY(examiner.classifier, make_classifier(*found));
  }
  return out;
}

}  // namespace backstay::app
