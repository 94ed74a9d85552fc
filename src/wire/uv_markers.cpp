#include "wire/uv_markers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "wire/lock_tree.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;

/// Markers that all have to hold.
using Path = std::set<std::string>;

/// More ways to a package than that, or longer ones, are taken for: everywhere. A package too many is seen, one that is
/// missing is not.
constexpr std::size_t kMaxPaths = 16;
constexpr std::size_t kMaxMarkers = 16;
/// Versions of one package.
constexpr std::size_t kMaxVersions = 64;

class Walk {
 public:
  explicit Walk(const json& root) : packages_(list_at(root, "package")), paths_(packages_.size()) {
    for (std::size_t i = 0; i < packages_.size(); ++i) by_name_[text_at(packages_[i], "name")].push_back(i);
  }

  std::vector<std::set<Path>> run() {
    bool project = false;
    for (std::size_t i = 0; i < packages_.size(); ++i) {
      const json& source = member(packages_[i], "source");
      if (text_at(source, "editable").empty() && text_at(source, "virtual").empty()) continue;
      project = true;
      reach(i, {});
      for (const char* optional : {"optional-dependencies", "dev-dependencies"})
        for (const auto& [name, edges] : member(packages_[i], optional).items()) extras_[i].insert(name);
    }
    for (std::size_t i = 0; !project && i < packages_.size(); ++i) paths_[i].insert(Path{});
    while (!waiting_.empty()) {
      const std::size_t at = waiting_.front();
      waiting_.pop_front();
      follow(at);
    }
    return std::move(paths_);
  }

 private:
  void follow(std::size_t at) {
    const std::set<Path> paths = paths_[at];
    const auto each = [&](const json& edges) {
      if (!edges.is_array()) return;
      for (const json& edge : edges)
        for (const std::size_t to : targets(edge))
          for (const Path& path : paths) {
            Path longer = path;
            if (const std::string marker = text_at(edge, "marker"); !marker.empty()) longer.insert(marker);
            bool more = false;
            for (const json& extra : list_at(edge, "extra"))
              if (extra.is_string()) more |= extras_[to].insert(extra.get<std::string>()).second;
            if (more && !paths_[to].empty()) waiting_.push_back(to);
            reach(to, std::move(longer));
          }
    };
    each(member(packages_[at], "dependencies"));
    for (const std::string& extra : extras_[at])
      for (const char* optional : {"optional-dependencies", "dev-dependencies"})
        each(member(member(packages_[at], optional), extra.c_str()));
  }

  /// Of several packages with one name an edge names the version.
  std::vector<std::size_t> targets(const json& edge) const {
    const auto found = by_name_.find(text_at(edge, "name"));
    if (found == by_name_.end()) return {};
    const std::string version = text_at(edge, "version");
    std::vector<std::size_t> out;
    for (const std::size_t i : found->second)
      if (out.size() < kMaxVersions && (version.empty() || text_at(packages_[i], "version") == version))
        out.push_back(i);
    return out;
  }

  void reach(std::size_t at, Path path) {
    std::set<Path>& known = paths_[at];
    const auto weaker = [&](const Path& a, const Path& b) {
      return std::includes(b.begin(), b.end(), a.begin(), a.end());
    };
    if (std::any_of(known.begin(), known.end(), [&](const Path& each) { return weaker(each, path); })) return;
    if (known.size() >= kMaxPaths || path.size() > kMaxMarkers) path.clear();
    for (auto it = known.begin(); it != known.end();) it = weaker(path, *it) ? known.erase(it) : std::next(it);
    known.insert(std::move(path));
    waiting_.push_back(at);
  }

  const json& packages_;
  std::vector<std::set<Path>> paths_;
  std::map<std::string, std::vector<std::size_t>> by_name_;
  std::map<std::size_t, std::set<std::string>> extras_;
  std::deque<std::size_t> waiting_;
};

/// ("a" and "b") or ("c"); empty when one of them asks for nothing.
std::string any_of(const std::set<Path>& paths) {
  std::string out;
  for (const Path& path : paths) {
    if (path.empty()) return "";
    std::string all;
    for (const std::string& marker : path) all += fmt::format("{}({})", all.empty() ? "" : " and ", marker);
    out += fmt::format("{}{}", out.empty() ? "" : " or ", path.size() > 1 && paths.size() > 1 ? "(" + all + ")" : all);
  }
  return out;
}

/// Of a package that is in the lock in several versions: where this one is meant.
std::string resolution_of(const json& package) {
  std::set<Path> paths;
  for (const json& marker : list_at(package, "resolution-markers"))
    if (marker.is_string()) paths.insert({marker.get<std::string>()});
  return any_of(paths);
}

}  // namespace

std::vector<UvPlace> uv_places(const json& root) {
  const json& packages = list_at(root, "package");
  const std::vector<std::set<Path>> paths = Walk(root).run();
  std::vector<UvPlace> out(packages.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].reached = !paths[i].empty();
    out[i].marker = any_of(paths[i]);
    const std::string resolution = resolution_of(packages[i]);
    if (resolution.empty()) continue;
    out[i].marker = out[i].marker.empty() ? resolution : fmt::format("({}) and ({})", out[i].marker, resolution);
  }
  return out;
}

}  // namespace backstay::wire
