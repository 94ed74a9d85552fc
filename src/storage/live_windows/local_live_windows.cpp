#include "storage/live_windows/local_live_windows.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/descriptor.hpp"
#include "base/digest.hpp"

namespace backstay {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kEnding = ".window";
constexpr const char* kFormat = "backstay-window/1";
constexpr std::uint64_t kMaxFileBytes = 64 * 1024 * 1024;

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 200 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '+';
         });
}

std::string head_of(const LiveWindow& window) {
  const json head{
      {"window", kFormat},           {"endpoint", window.endpoint},     {"version", window.version},
      {"segment", window.segment},   {"from", to_rfc3339(window.from)}, {"until", to_rfc3339(window.until)},
      {"requests", window.requests}, {"unreadable", window.unreadable}, {"unreadable_for", window.unreadable_for},
      {"dropped", window.dropped}};
  return head.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<void> write_durably(const fs::path& path, const std::string& text) {
  const fs::path beside = path.string() + ".new";
  Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return Unexpected(error_from_errno(errno, "cannot write " + beside.string()));
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unexpected(error_from_errno(errno, "cannot write " + beside.string()));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(file.get()) != 0) return Unexpected(error_from_errno(errno, "cannot sync " + beside.string()));
  if (::rename(beside.c_str(), path.c_str()) != 0)
    return Unexpected(error_from_errno(errno, "cannot rename " + beside.string()));
  const Descriptor folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && ::fsync(folder.get()) != 0)
    return Unexpected(error_from_errno(errno, "cannot sync " + path.parent_path().string()));
  return {};
}

struct Found {
  std::int64_t from = 0;
  fs::path path;
};

/// The folder's windows, oldest first. What has another name is left alone.
Result<std::vector<Found>> list(const fs::path& folder) {
  std::vector<Found> out;
  std::error_code failed;
  if (!fs::exists(folder, failed)) return out;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (!name.ends_with(kEnding)) continue;
    char* rest = nullptr;
    const long long from = std::strtoll(name.c_str(), &rest, 10);
    if (rest != name.c_str() && *rest == '-') out.push_back({from, at->path()});
  }
  if (failed) return Unexpected(error_from_errno(failed.value(), "cannot list " + folder.string()));
  std::sort(out.begin(), out.end(),
            [](const Found& a, const Found& b) { return a.from != b.from ? a.from < b.from : a.path < b.path; });
  return out;
}

Result<LiveWindow> read_window(const fs::path& path) {
  const auto broken = [&] {
    return Unexpected(ErrorCode::kIntegrity, fmt::format("{} is no window of live data.", path.string()),
                      "Remove it; what it told is lost.");
  };
  std::error_code failed;
  if (fs::file_size(path, failed) > kMaxFileBytes || failed) return broken();
  std::ifstream in(path, std::ios::binary);
  LiveWindow out;
  std::string head;
  if (!in || !std::getline(in, head) || !std::getline(in, out.profile) || !std::getline(in, out.predictions))
    return broken();
  const json parsed = json::parse(head, nullptr, false);
  const auto text = [&](const char* key) {
    const auto found = parsed.find(key);
    return found != parsed.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto count = [&](const char* key) {
    const auto found = parsed.find(key);
    return found != parsed.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  if (!parsed.is_object() || text("window") != kFormat) return broken();
  out.endpoint = text("endpoint");
  out.version = text("version");
  out.segment = text("segment");
  const auto from = parse_rfc3339(text("from"));
  const auto until = parse_rfc3339(text("until"));
  if (!from || !until || !is_name(out.version)) return broken();
  out.from = *from;
  out.until = *until;
  out.requests = count("requests");
  out.unreadable = count("unreadable");
  if (const auto found = parsed.find("unreadable_for"); found != parsed.end() && found->is_object())
    for (const auto& [why, many] : found->items())
      if (many.is_number_unsigned()) out.unreadable_for[why] = many.get<std::uint64_t>();
  out.dropped = count("dropped");
  return out;
}

}  // namespace

Result<fs::path> LocalLiveWindows::folder_of(const std::string& endpoint) const {
  if (is_name(endpoint)) return root_ / endpoint;
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no endpoint.", endpoint),
                    "The configuration file names the endpoints.");
}

Result<void> LocalLiveWindows::keep(const LiveWindow& window) {
  TRY(const fs::path folder, folder_of(window.endpoint));
  if (!is_name(window.version))
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no version.", window.version),
                      "Versions are written like 2.1.0.");
  const std::lock_guard lock(mutex_);
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Unexpected(error_from_errno(failed.value(), "cannot make " + folder.string()));
  fs::permissions(root_, fs::perms::owner_all, failed);
  const std::string name =
      fmt::format("{}-{}-{}{}", window.from.time_since_epoch().count(), window.version,
                  window.segment.empty() ? "all" : sha256(window.segment).hex().substr(0, 12), kEnding);
  TRY_DO(write_durably(folder / name, head_of(window) + "\n" + window.profile + "\n" + window.predictions + "\n"));
  make_room(folder);
  return {};
}

void LocalLiveWindows::make_room(const fs::path& folder) const {
  const auto all = list(folder);
  if (!all) return;  // The next one tries again.
  std::uint64_t bytes = 0;
  std::size_t kept = 0;
  for (auto each = all->rbegin(); each != all->rend(); ++each) {
    std::error_code gone;
    const std::uint64_t size = fs::file_size(each->path, gone);
    if (gone) continue;
    bytes += size;
    if (++kept > limits_.windows || bytes > limits_.bytes) fs::remove(each->path, gone);
  }
}

Result<std::vector<LiveWindow>> LocalLiveWindows::windows(const std::string& endpoint,
                                                          const std::optional<Timestamp>& since) const {
  TRY(const fs::path folder, folder_of(endpoint));
  TRY(const std::vector<Found> all, list(folder));
  std::vector<LiveWindow> out;
  for (const Found& each : all) {
    auto window = read_window(each.path);
    std::error_code ignored;
    if (!window && !fs::exists(each.path, ignored)) continue;  // Removed for a newer one meanwhile.
    if (!window) return Unexpected(std::move(window).error());
    if (since && window->until < *since) continue;
    out.push_back(*std::move(window));
  }
  return out;
}

}  // namespace backstay
