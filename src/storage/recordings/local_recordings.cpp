#include "storage/recordings/local_recordings.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "storage/recordings/block.hpp"

namespace backstay {

namespace {

namespace fs = std::filesystem;
using recordings::BlockHead;
using recordings::BlockKind;
using recordings::kBlockHead;

constexpr const char* kEnding = ".rec";

/// A block of a file, and where it ends.
struct Block {
  BlockHead head;
  std::vector<std::byte> payload;
};

Result<std::size_t> read_some(int fd, std::span<std::byte> into, std::uint64_t offset, const std::string& what) {
  std::size_t got = 0;
  while (got < into.size()) {
    const ssize_t n = ::pread(fd, into.data() + got, into.size() - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Unexpected(error_from_errno(errno, "cannot read " + what));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

/// The block at `offset`; nullopt at the end of the file; kIntegrity when what is there is not a whole one.
Result<std::optional<Block>> block_at(int fd, std::uint64_t offset, const std::string& what) {
  const auto torn = [&] {
    return Unexpected(ErrorCode::kIntegrity, fmt::format("{} is damaged from byte {} on.", what, offset),
                      "What was recorded up to there can still be replayed.");
  };
  std::array<std::byte, kBlockHead> head_bytes;
  TRY(const std::size_t got, read_some(fd, head_bytes, offset, what));
  if (got == 0) return std::optional<Block>();
  if (got < head_bytes.size()) return torn();
  auto head = recordings::decode_head(head_bytes);
  if (!head) return torn();
  Block block{*head, std::vector<std::byte>(head->payload_bytes)};
  TRY(const std::size_t payload, read_some(fd, block.payload, offset + kBlockHead, what));
  if (payload < block.payload.size() || !recordings::matches(block.head, block.payload)) return torn();
  return std::optional(std::move(block));
}

std::string text_of(const std::vector<std::byte>& payload) {
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

Result<fs::path> LocalRecordings::path_of(const std::string& rollout) const {
  const bool fits = !rollout.empty() && rollout.size() <= 200 && rollout.front() != '.' &&
                    std::all_of(rollout.begin(), rollout.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
                    });
  if (!fits)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no rollout.", rollout),
                      "A rollout is named like diagnosis-7: its endpoint and number.");
  return root_ / (rollout + kEnding);
}

Result<void> LocalRecordings::make_room(const std::string& rollout) const {
  struct Old {
    fs::file_time_type changed;
    std::uint64_t bytes;
    fs::path path;
  };
  std::vector<Old> all;
  std::uint64_t used = limits_.each_bytes;  // For the one that begins.
  std::error_code failed;
  for (fs::directory_iterator at(root_, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().extension() != kEnding || at->path().stem() == rollout) continue;
    std::error_code gone;
    const Old old{at->last_write_time(gone), at->file_size(gone), at->path()};
    if (gone) continue;
    used += old.bytes;
    all.push_back(old);
  }
  if (failed) return Unexpected(error_from_errno(failed.value(), "cannot list " + root_.string()));
  std::sort(all.begin(), all.end(), [](const Old& a, const Old& b) { return a.changed < b.changed; });
  for (const Old& old : all) {
    if (used <= limits_.all_bytes) break;
    if (open_.count(old.path.stem().string()) != 0) continue;  // Of a rollout that is under way.
    std::error_code not_removed;
    if (fs::remove(old.path, not_removed)) used -= old.bytes;
  }
  return {};
}

/// Opened for writing, without what a crash left half written.
Result<LocalRecordings::Open> LocalRecordings::open(const std::string& rollout) const {
  TRY(const fs::path path, path_of(rollout));
  std::error_code failed;
  fs::create_directories(root_, failed);
  if (failed) return Unexpected(error_from_errno(failed.value(), "cannot make " + root_.string()));
  fs::permissions(root_, fs::perms::owner_all, failed);
  Open out;
  out.file = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out.file) return Unexpected(error_from_errno(errno, "cannot open " + path.string()));
  while (true) {
    auto block = block_at(out.file.get(), out.bytes, path.string());
    if (!block && block.error().code != ErrorCode::kIntegrity) return Unexpected(std::move(block).error());
    if (!block || !*block) break;
    out.ended = (*block)->head.kind == BlockKind::kEnd;
    out.whole = out.ended && (*block)->payload.empty();
    out.bytes += kBlockHead + (*block)->payload.size();
  }
  if (::ftruncate(out.file.get(), static_cast<off_t>(out.bytes)) != 0)
    return Unexpected(error_from_errno(errno, "cannot shorten " + path.string()));
  return out;
}

Result<void> LocalRecordings::write(Open& open, const std::string& rollout, const std::string& block) const {
  if (::lseek(open.file.get(), static_cast<off_t>(open.bytes), SEEK_SET) < 0)
    return Unexpected(error_from_errno(errno, "cannot write the recording of " + rollout));
  TRY_DO(write_all(open.file.get(), bytes_of(block), "the recording of " + rollout));
  open.bytes += block.size();
  return {};
}

Result<void> LocalRecordings::begin(const std::string& rollout, const std::string& policy) {
  const std::lock_guard lock(mutex_);
  open_.erase(rollout);
  TRY(Open opened, open(rollout));
  if (opened.whole) {
    if (::ftruncate(opened.file.get(), 0) != 0)
      return Unexpected(error_from_errno(errno, "cannot begin the recording of " + rollout));
    opened.bytes = 0;
    opened.ended = opened.whole = false;
  }
  TRY_DO(make_room(rollout));
  if (!opened.ended) TRY_DO(write(opened, rollout, recordings::encode_block(BlockKind::kPolicy, policy)));
  open_.emplace(rollout, std::move(opened));
  return {};
}

Result<void> LocalRecordings::resume(const std::string& rollout) {
  const std::lock_guard lock(mutex_);
  open_.erase(rollout);
  TRY(Open opened, open(rollout));
  if (!opened.ended) TRY_DO(write(opened, rollout, recordings::encode_block(BlockKind::kResume, "")));
  open_.emplace(rollout, std::move(opened));
  return {};
}

Result<void> LocalRecordings::append(const std::string& rollout, const std::vector<Observation>& observations) {
  const std::lock_guard lock(mutex_);
  auto found = open_.find(rollout);
  if (found == open_.end()) {
    TRY(Open opened, open(rollout));
    found = open_.emplace(rollout, std::move(opened)).first;
  }
  Open& file = found->second;
  const auto full = [&] {
    return Unexpected(ErrorCode::kResourceExhausted,
                      fmt::format("The recording of {} is as long as it may be ({} bytes).", rollout, file.bytes),
                      "The rollout goes on; it can be replayed up to here.");
  };
  if (file.ended) return full();
  for (std::span<const Observation> rest = observations; !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), recordings::kMaxObservations));
    const std::string block = recordings::encode_observations(part);
    if (file.bytes + block.size() > limits_.each_bytes) {
      TRY_DO(
          write(file, rollout,
                recordings::encode_block(BlockKind::kEnd, "The recording had reached the length that it may have.")));
      file.ended = true;
      return full();
    }
    TRY_DO(write(file, rollout, block));
    rest = rest.subspan(part.size());
  }
  return {};
}

Result<void> LocalRecordings::close(const std::string& rollout, const std::string& last_block) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(rollout);
  if (found == open_.end()) return {};
  Open file = std::move(found->second);
  open_.erase(found);
  if (!file.ended) TRY_DO(write(file, rollout, last_block));
  const Descriptor folder(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::fdatasync(file.file.get()) != 0 || !folder || ::fsync(folder.get()) != 0)
    return Unexpected(error_from_errno(errno, "cannot write the recording of " + rollout));
  return {};
}

Result<void> LocalRecordings::suspend(const std::string& rollout) {
  return close(rollout, recordings::encode_block(BlockKind::kPause, ""));
}

Result<void> LocalRecordings::end(const std::string& rollout, const std::string& why) {
  return close(rollout, recordings::encode_block(BlockKind::kEnd, why));
}

Result<RecordingStore::Recorded> LocalRecordings::read(const std::string& rollout, const Reader& reader) const {
  TRY(const fs::path path, path_of(rollout));
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT)
    return Unexpected(
        ErrorCode::kNotFound, fmt::format("There is no recording of {}.", rollout),
        "Old recordings are removed to make room for new ones; rollouts of before there were recordings have none.");
  if (!file) return Unexpected(error_from_errno(errno, "cannot open " + path.string()));
  std::string gap;  // Why something is missing before the end.
  bool paused = true;
  for (std::uint64_t offset = 0;;) {
    auto block = block_at(file.get(), offset, path.string());
    if (!block) {
      if (block.error().code != ErrorCode::kIntegrity) return Unexpected(std::move(block).error());
      return Recorded{false, block.error().message, true};
    }
    if (!*block) return Recorded{false, "It has no end yet: the rollout is under way, or the server was killed."};
    const std::vector<std::byte>& payload = (*block)->payload;
    const BlockKind kind = (*block)->head.kind;
    if ((kind == BlockKind::kPolicy || kind == BlockKind::kResume) && !paused)
      gap = "The server was killed in between: what came just before that is missing.";
    paused = kind == BlockKind::kPause;
    switch (kind) {
      case BlockKind::kPolicy: TRY_DO(reader.policy(text_of(payload))); break;
      case BlockKind::kPause: break;
      case BlockKind::kResume:
        if (reader.resumed) reader.resumed();
        break;
      case BlockKind::kEnd: {
        const std::string why = payload.empty() ? gap : text_of(payload);
        return Recorded{why.empty(), why};
      }
      case BlockKind::kObservations: {
        const auto observations = recordings::decode_observations(payload, (*block)->head.format);
        if (!observations) return Recorded{false, observations.error().message, true};
        for (const Observation& observation : *observations) reader.observation(observation);
        break;
      }
    }
    offset += kBlockHead + payload.size();
  }
}

}  // namespace backstay
