#include "app/notification_config.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "domain/registry/semantic_version.hpp"

namespace backstay::app {

namespace {

using notify::Target;
using wire::Fields;
using Kind = Target::Kind;

constexpr std::size_t kMaxSecret = 4096;

void read_kind(Fields& fields, Kind& out) {
  std::string word;
  fields.required("kind", word);
  for (const auto& [name, kind] : {std::pair{"webhook", Kind::kWebhook}, std::pair{"slack", Kind::kSlack},
                                   std::pair{"pagerduty", Kind::kPagerDuty}, std::pair{"github", Kind::kGithub},
                                   std::pair{"email", Kind::kMail}}) {
    if (word != name) continue;
    out = kind;
    return;
  }
  fields.fail("kind", fmt::format("is '{}'", word), "Use one of: webhook, slack, pagerduty, github, email.");
}

bool starts_with_any(const std::string& text, std::initializer_list<const char*> heads) {
  return std::any_of(heads.begin(), heads.end(), [&](const char* head) { return text.rfind(head, 0) == 0; });
}

void check_address(Fields& fields, const char* key, const Target& target) {
  const bool mail = target.kind == Kind::kMail;
  if (target.url.empty()) return;
  if (mail ? starts_with_any(target.url, {"smtp://", "smtps://"})
           : starts_with_any(target.url, {"https://", "http://"}))
    return;
  fields.fail(key, "is no address",
              mail ? "Write it like smtps://mail.example.org" : "Write it like https://hooks.example.org/backstay");
}

void read_events(Fields& fields, Target& target) {
  fields.optional("events", target.events);
  if (target.events.empty()) target.events = notify::usual_events(target.kind);
  for (const std::string& event : target.events) {
    const bool known = std::find(std::begin(wire::kNoticeEvents), std::end(wire::kNoticeEvents), event) !=
                       std::end(wire::kNoticeEvents);
    if (!known)
      fields.fail("events", fmt::format("has '{}'", event),
                  fmt::format("Known are: {}.", fmt::join(wire::kNoticeEvents, ", ")));
  }
}

void read_target(Fields& fields, const std::filesystem::path& folder, NotificationConfig& out) {
  Target& target = out.target;
  fields.required("name", target.name);
  if (auto valid = registry::check_name("name", target.name); !target.name.empty() && !valid)
    fields.fail("name", valid.error().message, valid.error().hint);
  read_kind(fields, target.kind);
  std::string url_file;
  std::string secret_file;
  fields.optional("url", target.url);
  fields.optional("url_file", url_file);
  fields.optional("secret_file", secret_file);
  if (!url_file.empty()) out.url_file = folder / url_file;
  if (!secret_file.empty()) out.secret_file = folder / secret_file;
  fields.optional("repository", target.repository);
  fields.optional("from", target.from);
  fields.optional("to", target.to);
  fields.optional("user", target.user);
  const bool usual = target.url.empty() && out.url_file.empty();
  if (target.kind == Kind::kPagerDuty && usual) target.url = "https://events.pagerduty.com/v2/enqueue";
  if (target.kind == Kind::kGithub && usual) target.url = "https://api.github.com";
  check_address(fields, "url", target);
  if (target.url.empty() == out.url_file.empty())
    fields.fail("url", "or url_file must be given, and not both", "Say where to, or name the file that does.");
  const bool needs_secret = target.kind == Kind::kPagerDuty || target.kind == Kind::kGithub;
  if (needs_secret && out.secret_file.empty())
    fields.fail("secret_file", "is missing", "Name the file with the routing key or token (mode 0600).");
  const auto slash = target.repository.find('/');
  if (target.kind == Kind::kGithub &&
      (slash == std::string::npos || target.repository.find('/', slash + 1) != std::string::npos))
    fields.fail("repository", "is no OWNER/NAME", "Write it like repository: acme/diagnosis");
  if (target.kind == Kind::kMail && (target.from.empty() || target.to.empty()))
    fields.fail("from", "and to must be given", "Write them like from: backstay@example.org, to: [ops@example.org]");
  read_events(fields, target);
}

Result<std::string> read_secret(const std::filesystem::path& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0)
    return Unexpected(ErrorCode::kNotFound, fmt::format("The secret file {} can't be read.", path.string()),
                      "Write the secret into it and chmod it to 0600.");
  if ((info.st_mode & 077U) != 0)
    return Unexpected(ErrorCode::kPermissionDenied, fmt::format("Others may read the secret in {}.", path.string()),
                      fmt::format("chmod 600 {}", path.string()));
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  const bool printable = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  if (text.empty() || text.size() > kMaxSecret || !printable)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} holds no secret of one line.", path.string()),
                      "Write the secret into it, and nothing else.");
  return text;
}

}  // namespace

void read_notifications(Fields& fields, const std::filesystem::path& folder, std::vector<NotificationConfig>& out) {
  std::set<std::string> names;
  fields.each("notifications", [&](Fields& item) {
    NotificationConfig& config = out.emplace_back();
    read_target(item, folder, config);
    if (!names.insert(config.target.name).second)
      item.fail("name", fmt::format("is '{}' a second time", config.target.name), "Give each its own.");
  });
}

Result<std::vector<notify::Target>> load_targets(const std::vector<NotificationConfig>& configs) {
  std::vector<Target> out;
  for (const NotificationConfig& config : configs) {
    Target target = config.target;
    if (!config.url_file.empty()) {
      TRY(target.url, read_secret(config.url_file));
      const bool mail = target.kind == Kind::kMail;
      if (!starts_with_any(target.url, mail ? std::initializer_list<const char*>{"smtp://", "smtps://"}
                                            : std::initializer_list<const char*>{"https://", "http://"}))
        return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} holds no address.", config.url_file.string()),
                          "Write the address into it, and nothing else.");
    }
    if (!config.secret_file.empty()) {
      TRY(target.secret, read_secret(config.secret_file));
      if (target.kind == Kind::kWebhook)
        if (auto fits = notify::check_webhook_secret(target.secret); !fits)
          return Unexpected(std::move(fits).error().within(config.secret_file.string()));
    }
    out.push_back(std::move(target));
  }
  return out;
}

}  // namespace backstay::app
