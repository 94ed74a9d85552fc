#include "wire/locked_packages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/document.hpp"
#include "wire/lock_tree.hpp"
#include "wire/toml.hpp"
#include "wire/uv_markers.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxTextBytes = 4096;
constexpr std::string_view kAlphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool only(std::string_view text, std::string_view more) {
  return !text.empty() && text.size() <= kMaxTextBytes && std::all_of(text.begin(), text.end(), [more](char c) {
    return kAlphanumeric.find(c) != std::string_view::npos || more.find(c) != std::string_view::npos;
  });
}

/// No # (a comment), no backslash (a continuation) and no -- (an option of the line).
bool is_marker(std::string_view text) {
  return only(text, " '\"._-<>=!~(),+*") && text.find("--") == std::string_view::npos;
}

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Without blanks, quotes and user names.
bool is_address(std::string_view text) {
  return (text.starts_with("https://") || text.starts_with("http://")) && only(text, ":/._-+~%=&?!,");
}

std::string shown(const std::string& name) {
  return is_package_name(name) ? name : "a package with a name that is none";
}

/// The hashes in "hash" of each file; none when one has none.
std::set<std::string> hashes_of(const json& files) {
  std::set<std::string> out;
  constexpr std::string_view kKind = "sha256:";
  for (const json& file : files) {
    const std::string hash = text_at(file, "hash");
    if (!hash.starts_with(kKind) || !is_hex(std::string_view(hash).substr(kKind.size()), 64)) return {};
    out.insert(hash.substr(kKind.size()));
  }
  return out;
}

void add_pip(LockedPackages& out, PipPackage package) {
  if (!is_package_name(package.name) || !is_package_version(package.version)) {
    out.left_out.push_back(fmt::format("{} (it has no exact version)", shown(package.name)));
  } else if (!package.marker.empty() && !is_marker(package.marker)) {
    out.left_out.push_back(fmt::format("{} (its condition is not understood)", package.name));
  } else {
    out.pip.push_back(std::move(package));
  }
}

void add_index(LockedPackages& out, const std::string& address) {
  std::string_view plain = address;
  while (plain.ends_with('/')) plain.remove_suffix(1);
  if (plain == "https://pypi.org/simple" || plain.empty() || !is_address(plain)) return;
  out.indexes.insert(std::string(plain));
}

/// From Poetry 2 on a package has its condition: one text, or one for each group that has any.
std::string poetry_marker(const json& package) {
  const json& markers = member(package, "markers");
  if (markers.is_string()) return markers.get<std::string>();
  if (!markers.is_object() || markers.size() < list_at(package, "groups").size()) return "";
  std::string out;
  for (const auto& [group, marker] : markers.items()) {
    if (!marker.is_string()) return "";
    out += fmt::format("{}({})", out.empty() ? "" : " or ", marker.get<std::string>());
  }
  return out;
}

LockedPackages of_poetry(const json& root) {
  LockedPackages out;
  for (const json& package : list_at(root, "package")) {
    const std::string name = text_at(package, "name");
    const json& source = member(package, "source");
    const std::string kind = text_at(source, "type");
    if (kind == "git" || kind == "directory" || kind == "file" || kind == "url") {
      out.left_out.push_back(fmt::format("{} (from {})", shown(name), kind));
      continue;
    }
    if (!kind.empty()) add_index(out, text_at(source, "url"));
    const json& files = list_at(package, "files");
    const json& old_files = list_at(member(member(root, "metadata"), "files"), name.c_str());
    add_pip(out,
            {name, text_at(package, "version"), poetry_marker(package), hashes_of(files.empty() ? old_files : files)});
  }
  return out;
}

LockedPackages of_uv(const json& root) {
  LockedPackages out;
  const json& packages = list_at(root, "package");
  const std::vector<UvPlace> places = uv_places(root);
  for (std::size_t i = 0; i < packages.size(); ++i) {
    const json& package = packages[i];
    const json& source = member(package, "source");
    const std::string name = text_at(package, "name");
    if (!places[i].reached || text_at(source, "editable") == "." || text_at(source, "virtual") == ".") continue;
    std::string elsewhere;
    for (const char* kind : {"editable", "virtual", "git", "directory", "path", "url"})
      if (!text_at(source, kind).empty()) elsewhere = kind;
    if (!elsewhere.empty()) {
      out.left_out.push_back(fmt::format("{} (from {})", shown(name), elsewhere));
      continue;
    }
    add_index(out, text_at(source, "registry"));
    json files = list_at(package, "wheels");
    if (const json& archive = member(package, "sdist"); archive.is_object()) files.push_back(archive);
    add_pip(out, {name, text_at(package, "version"), places[i].marker, hashes_of(files)});
  }
  return out;
}

void add_conda(LockedPackages& out, const json& package) {
  const std::string name = text_at(package, "name");
  const std::string platform = text_at(package, "platform");
  const std::string url = text_at(package, "url");
  const std::string sha256 = text_at(member(package, "hash"), "sha256");
  const std::string md5 = text_at(member(package, "hash"), "md5");
  const bool has_hash = is_hex(sha256, 64) || is_hex(md5, 32);
  if (!is_address(url) || !only(platform, "-_") || !has_hash) {
    out.conda_left_out.push_back(fmt::format("{} (without {})", shown(name),
                                             !is_address(url) ? "an address"
                                             : has_hash       ? "a platform"
                                                              : "a hash"));
    return;
  }
  out.conda[platform].push_back(is_hex(sha256, 64) ? fmt::format("{}#sha256:{}", url, sha256)
                                                   : fmt::format("{}#{}", url, md5));
  if (name == "python" && is_package_version(text_at(package, "version")))
    out.conda_python[platform] = text_at(package, "version");
}

/// Platforms as conda names them, for what pip asks.
std::string marker_of(const std::string& platform) {
  const std::string system = platform.substr(0, platform.find('-'));
  const std::string machine = platform.substr(std::min(platform.find('-') + 1, platform.size()));
  const std::string name = machine == "64" ? (system == "win" ? "AMD64" : "x86_64") : machine;
  return fmt::format("sys_platform == '{}' and platform_machine == '{}'",
                     system == "osx"   ? "darwin"
                     : system == "win" ? "win32"
                                       : system,
                     name);
}

/// What a package needs comes before it, as installers of explicit specifications go by the order. Those in a circle
/// keep the order they have.
std::vector<const json*> in_order(const json& packages) {
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (std::size_t i = 0; i < packages.size(); ++i)
    places.emplace(std::pair(text_at(packages[i], "platform"), text_at(packages[i], "name")), i);
  std::vector<std::size_t> waits(packages.size());
  std::vector<std::vector<std::size_t>> needed_by(packages.size());
  for (std::size_t i = 0; i < packages.size(); ++i) {
    const json& needs = member(packages[i], "dependencies");
    if (!needs.is_object()) continue;
    for (const auto& [name, range] : needs.items()) {
      const auto found = places.find({text_at(packages[i], "platform"), name});
      if (found == places.end() || found->second == i) continue;
      needed_by[found->second].push_back(i);
      ++waits[i];
    }
  }
  std::set<std::size_t> ready;
  std::set<std::size_t> left;
  for (std::size_t i = 0; i < packages.size(); ++i) (waits[i] == 0 ? ready : left).insert(i);
  std::vector<const json*> out;
  while (!ready.empty() || !left.empty()) {
    std::set<std::size_t>& from = ready.empty() ? left : ready;
    const std::size_t next = *from.begin();
    from.erase(from.begin());
    out.push_back(&packages[next]);
    for (const std::size_t each : needed_by[next])
      if (waits[each] > 0 && --waits[each] == 0 && left.erase(each) > 0) ready.insert(each);
  }
  return out;
}

LockedPackages of_conda(const json& root) {
  LockedPackages out;
  std::set<std::string> platforms;
  for (const json& package : list_at(root, "package")) platforms.insert(text_at(package, "platform"));
  for (const json* each : in_order(list_at(root, "package"))) {
    const json& package = *each;
    if (text_at(package, "manager") != "pip") {
      add_conda(out, package);
      continue;
    }
    const std::string sha256 = text_at(member(package, "hash"), "sha256");
    std::set<std::string> hashes;
    if (is_hex(sha256, 64)) hashes.insert(sha256);
    add_pip(out, {text_at(package, "name"), text_at(package, "version"),
                  platforms.size() > 1 ? marker_of(text_at(package, "platform")) : "", std::move(hashes)});
  }
  return out;
}

std::string base_of(std::string_view name) {
  return std::string(name.substr(name.rfind('/') + 1));
}

bool is_conda_lock(const std::string& base) {
  return base.starts_with("conda-lock") && (base.ends_with(".yml") || base.ends_with(".yaml"));
}

}  // namespace

bool LockedPackages::hashed() const {
  return std::none_of(pip.begin(), pip.end(), [](const PipPackage& each) { return each.sha256s.empty(); });
}

bool is_package_name(std::string_view text) {
  return only(text, "._-") && kAlphanumeric.find(text.front()) != std::string_view::npos &&
         kAlphanumeric.find(text.back()) != std::string_view::npos;
}

bool is_package_version(std::string_view text) {
  return only(text, "._-+!") && kAlphanumeric.find(text.front()) != std::string_view::npos;
}

bool is_project_lock(std::string_view name) {
  const std::string base = base_of(name);
  return base == "poetry.lock" || base == "uv.lock" || is_conda_lock(base);
}

Result<LockedPackages> read_locked_packages(const std::string& name, const std::string& text) {
  const std::string base = base_of(name);
  if (is_conda_lock(base)) {
    TRY(const Document document, Document::from_yaml(name, text));
    return of_conda(document.tree());
  }
  if (!is_project_lock(name)) return LockedPackages{};
  TRY(const Document document, document_from_toml(name, text));
  return base == "uv.lock" ? of_uv(document.tree()) : of_poetry(document.tree());
}

std::string requirements_of(const LockedPackages& packages) {
  std::string out;
  for (const std::string& index : packages.indexes) out += fmt::format("--extra-index-url {}\n", index);
  const bool hashed = packages.hashed();
  for (const PipPackage& package : packages.pip) {
    out += fmt::format("{}=={}", package.name, package.version);
    if (!package.marker.empty()) out += fmt::format(" ; {}", package.marker);
    if (hashed)
      for (const std::string& sha256 : package.sha256s) out += fmt::format(" \\\n    --hash=sha256:{}", sha256);
    out += '\n';
  }
  return out;
}

std::string explicit_spec_of(const std::string& platform, const std::vector<std::string>& lines) {
  return fmt::format("# platform: {}\n@EXPLICIT\n{}\n", platform, fmt::join(lines, "\n"));
}

}  // namespace backstay::wire
