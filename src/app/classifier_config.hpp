#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "monitor/examiners.hpp"
#include "ports/notifications.hpp"
#include "wire/document.hpp"

namespace backstay::app {

/// A classifier of an endpoint's answers, as it is configured.
struct ClassifierConfig {
  enum class Kind : std::uint8_t { kLexicon, kHttp };
  std::string name;
  Kind kind = Kind::kLexicon;
  std::vector<std::string> terms;  ///< kLexicon: words and phrases; or
  std::filesystem::path file;      ///< the file that has them, one a line.
  std::string url;                 ///< kHttp.
  std::string score = "/score";    ///< kHttp: JSON pointer to the number in its answer.
  milliseconds timeout{2'000};     ///< kHttp.
  std::string text;                ///< JSON pointer to the text in the version's answer; empty: all of it.
  std::uint64_t waiting = 256;     ///< Answers that may wait for it.
};

///     classifiers:
///       - {name: rude, kind: lexicon, file: words.txt, text: /choices/0/message/content}
///       - {name: safety, kind: http, url: "http://127.0.0.1:9009/judge", score: /unsafe, timeout: 2s}
void read_classifiers(wire::Fields& fields, const std::filesystem::path& folder, std::vector<ClassifierConfig>& out);

/// Refuses examiners (monitor::ValuePlan) that are no classifiers of the endpoint.
Result<void> check_examiners(const std::string& endpoint, const std::vector<std::string>& examiners,
                             const std::vector<ClassifierConfig>& classifiers);

using ReadFile = std::function<Result<std::string>(const std::filesystem::path&)>;
/// The examiners at work, in the plan's order. `messenger` outlives them.
Result<std::vector<monitor::ExaminerConfig>> make_examiners(const std::vector<std::string>& examiners,
                                                            const std::vector<ClassifierConfig>& classifiers,
                                                            const Messenger& messenger, const ReadFile& read);

}  // namespace backstay::app
