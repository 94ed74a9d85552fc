#include "storage/journals/local_journals.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <mutex>
#include <optional>
#include <span>

#include "base/descriptor.hpp"

namespace backstay {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kDigestDigits = 16;

std::string digest_of(std::string_view text) {
  return sha256(text).hex().substr(0, kDigestDigits);
}

struct Line {
  std::uint64_t batch = 0;
  std::string text;
};

std::optional<Line> read_line(std::string_view line) {
  if (line.size() < kDigestDigits + 1 || line[kDigestDigits] != ' ') return std::nullopt;
  const std::string_view rest = line.substr(kDigestDigits + 1);
  if (line.substr(0, kDigestDigits) != digest_of(rest)) return std::nullopt;
  Line out;
  const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), out.batch);
  if (problem != std::errc{} || end == rest.data() + rest.size() || *end != ' ') return std::nullopt;
  out.text = std::string(rest.substr(static_cast<std::size_t>(end - rest.data()) + 1));
  return out;
}

class LocalJournal : public EvaluationJournal {
 public:
  static Result<std::unique_ptr<EvaluationJournal>> open(const fs::path& path) {
    auto journal = std::make_unique<LocalJournal>();
    journal->name_ = path.string();
    journal->file_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!journal->file_) return Unexpected(error_from_errno(errno, "cannot open " + path.string()));
    if (flock(journal->file_.get(), LOCK_EX | LOCK_NB) != 0)
      return Unexpected(ErrorCode::kConflict, "Another process evaluates the same version with the same suite.",
                        "Wait until it is done.");
    TRY_DO(journal->load());
    return std::unique_ptr<EvaluationJournal>(std::move(journal));
  }

  const std::map<std::uint64_t, std::string>& recorded() const override { return recorded_; }

  Result<void> append(std::uint64_t batch, const std::string& text) override {
    const std::string rest = fmt::format("{} {}", batch, text);
    const std::string line = digest_of(rest) + ' ' + rest + '\n';
    const std::lock_guard lock(mutex_);
    return write_all(file_.get(), std::as_bytes(std::span(line)), name_);
  }

 private:
  Result<void> load() {
    std::string text;
    std::uint64_t good = 0;
    char piece[65536];
    while (true) {
      const ssize_t size = ::read(file_.get(), piece, sizeof piece);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return Unexpected(error_from_errno(errno, "cannot read " + name_));
      if (size == 0) break;
      text.append(piece, static_cast<std::size_t>(size));
      std::size_t begin = 0;
      for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
        auto line = read_line(std::string_view(text).substr(begin, end - begin));
        if (!line) return cut(good);
        good += end - begin + 1;
        recorded_[line->batch] = std::move(line->text);
        begin = end + 1;
      }
      text.erase(0, begin);
    }
    return text.empty() ? Result<void>() : cut(good);
  }

  /// Forgets what is torn, so that what is appended begins a line.
  Result<void> cut(std::uint64_t size) {
    if (ftruncate(file_.get(), static_cast<off_t>(size)) == 0) return {};
    return Unexpected(error_from_errno(errno, "cannot shorten " + name_));
  }

  std::string name_;
  Descriptor file_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::string> recorded_;
};

}  // namespace

Result<std::unique_ptr<EvaluationJournal>> LocalJournals::open(const Digest& key) {
  std::error_code failure;
  fs::create_directories(folder_, failure);
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot make the folder " + folder_.string()));
  fs::permissions(folder_, fs::perms::owner_all, failure);  // Answers about people's data.
  drop_stale(file_of(key));
  return LocalJournal::open(file_of(key));
}

void LocalJournals::drop_stale(const fs::path& but) const {
  const auto now = fs::file_time_type::clock::now();
  std::error_code ignored;
  for (auto entry = fs::directory_iterator(folder_, ignored); entry != fs::directory_iterator();
       entry.increment(ignored)) {
    const fs::path& path = entry->path();
    if (path.extension() != ".journal" || path == but) continue;
    std::error_code failure;
    const auto written = fs::last_write_time(path, failure);
    if (failure || now - written < kKeptFor) continue;
    // Who holds it is still at work, however slowly.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file && flock(file.get(), LOCK_EX | LOCK_NB) == 0) fs::remove(path, failure);
  }
}

void LocalJournals::remove(const Digest& key) {
  std::error_code ignored;
  fs::remove(file_of(key), ignored);
}

}  // namespace backstay
