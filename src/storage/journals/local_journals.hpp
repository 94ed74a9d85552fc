#pragma once

#include <chrono>
#include <filesystem>

#include "ports/evaluation_journals.hpp"

namespace backstay {

/// Journals as files of a folder, KEY.journal, one line per batch:
///
///     <first 16 hex digits of the SHA-256 of what follows the blank> <batch> <text>
///
/// A line is one write. What a crash tore has another digest and is asked anew, like everything after a line that is
/// not understood. Nothing is synced: after a power cut answers are asked again. One process at a time holds a journal.
/// Journals of evaluations that nobody took up again for kKeptFor go when another is opened.
class LocalJournals : public EvaluationJournals {
 public:
  static constexpr std::chrono::hours kKeptFor{14 * 24};

  explicit LocalJournals(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<std::unique_ptr<EvaluationJournal>> open(const Digest& key) override;
  void remove(const Digest& key) override;

 private:
  void drop_stale(const std::filesystem::path& but) const;
  std::filesystem::path file_of(const Digest& key) const { return folder_ / (key.hex() + ".journal"); }
  const std::filesystem::path folder_;
};

}  // namespace backstay
