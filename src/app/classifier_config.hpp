#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "classify/served_version.hpp"
#include "domain/evaluation/suite.hpp"
#include "domain/registry/semantic_version.hpp"
#include "monitor/examiners.hpp"
#include "ports/model_runner.hpp"
#include "ports/notifications.hpp"
#include "wire/document.hpp"

namespace backstay::app {

/// A classifier of an endpoint's answers, as it is configured.
struct ClassifierConfig {
  enum class Kind : std::uint8_t { kLexicon, kHttp, kModel };
  std::string name;
  Kind kind = Kind::kLexicon;
  std::vector<std::string> terms;      ///< kLexicon: words and phrases; or
  std::filesystem::path file;          ///< the file that has them, one a line.
  std::string url;                     ///< kHttp.
  std::string score = "/score";        ///< kHttp: JSON pointer to the number in its answer.
  std::string model;                   ///< kModel: a pinned version, "toxic-text@1.2.0".
  std::string input;                   ///< kModel: of texts; empty: its only one.
  std::string output;                  ///< kModel: with the score; empty: its only one.
  std::optional<std::uint64_t> index;  ///< kModel: of several numbers for a text, which one is the score.
  evaluation::BackendChoice backend;   ///< kModel.
  milliseconds timeout{2'000};         ///< kHttp, kModel: of one answer.
  std::string text;                    ///< JSON pointer to the text in the version's answer; empty: all of it.
  std::uint64_t waiting = 256;         ///< Answers that may wait for it.
};

///     classifiers:
///       - {name: rude, kind: lexicon, file: words.txt, text: /choices/0/message/content}
///       - {name: safety, kind: http, url: "http://127.0.0.1:9009/judge", score: /unsafe, timeout: 2s}
///       - {name: toxic, kind: model, model: toxic-text@1.2.0, output: probabilities, index: 1}
void read_classifiers(wire::Fields& fields, const std::filesystem::path& folder, std::vector<ClassifierConfig>& out);

/// Refuses examiners (monitor::ValuePlan) that are no classifiers of the endpoint.
Result<void> check_examiners(const std::string& endpoint, const std::vector<std::string>& examiners,
                             const std::vector<ClassifierConfig>& classifiers);

/// What examiners are made of. What it refers to outlives them.
struct ExaminerPorts {
  const Messenger& messenger;
  std::function<Result<std::string>(const std::filesystem::path&)> read;
  /// Refuses a version that can't be asked, before anything is started.
  std::function<Result<void>(const registry::VersionRef&)> check_model;
  /// See classify::ServedVersion::Start.
  std::function<Result<std::unique_ptr<ModelRunner>>(const registry::VersionRef&, const evaluation::BackendChoice&,
                                                     const std::stop_token&)>
      start_model;
};
/// Makes the examiners of one endpoint after the other. Those that name the same version, served in the same way, share
/// it, whatever they take of its answers.
class ExaminerFactory {
 public:
  explicit ExaminerFactory(ExaminerPorts ports) : ports_(std::move(ports)) {}
  /// The examiners at work, in the plan's order.
  Result<std::vector<monitor::ExaminerConfig>> make(const std::vector<std::string>& examiners,
                                                    const std::vector<ClassifierConfig>& classifiers);

 private:
  struct Served {
    registry::VersionRef ref;
    evaluation::BackendChoice backend;
    std::shared_ptr<classify::ServedVersion> version;
  };
  Result<std::shared_ptr<Classifier>> make_classifier(const ClassifierConfig& config);
  Result<std::shared_ptr<Classifier>> make_lexicon(const ClassifierConfig& config) const;
  Result<std::shared_ptr<classify::ServedVersion>> serve(const ClassifierConfig& config);

  ExaminerPorts ports_;
  std::vector<Served> served_;
};

}  // namespace backstay::app
