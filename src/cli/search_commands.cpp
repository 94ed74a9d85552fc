#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/json.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "services/search_notes.hpp"
#include "services/search_versions.hpp"

/// Finding versions: list and search.
namespace backstay::cli {

using nlohmann::json;

namespace {

struct Arguments {
  std::string filter;
  std::string model;
  std::string cursor;
  std::size_t limit = services::kDefaultPage;
};

std::vector<std::vector<std::string>> version_rows(const std::vector<StoredVersion>& versions) {
  std::vector<std::vector<std::string>> rows{{"VERSION", "STAGE", "COMPLETE", "REGISTERED", "BY", "SHA-256"}};
  for (const StoredVersion& v : versions)
    rows.push_back({v.ref.str(), v.stage, v.complete ? "yes" : "no", to_rfc3339(v.registered_at).substr(0, 19) + "Z",
                    v.registered_by, v.identity.hex().substr(0, 12)});
  return rows;
}

/// `again`: the command that gives the next page but for the cursor.
void print_page(const SearchPage& page, const std::string& again) {
  if (!page.versions.empty()) fmt::print("{}", table(version_rows(page.versions)));
  if (!page.next.empty()) fmt::print("more: {} --cursor {}\n", again, page.next);
}

std::string limit_text(std::size_t limit) {
  return limit == services::kDefaultPage ? "" : fmt::format(" --limit {}", limit);
}

Result<ExitCode> search(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const SearchPage page, services::search_versions(opened->search(), a.filter, a.cursor, a.limit));
  std::vector<std::string> notes;
  if (a.cursor.empty()) {
    TRY(notes, services::search_notes(opened->search(), opened->registry().versions, a.filter));
  }
  if (context.common.json) {
    json out{{"versions", json::array()}, {"next", nullptr}, {"notes", notes}};
    for (const StoredVersion& version : page.versions) out["versions"].push_back(api::to_json(version));
    if (!page.next.empty()) out["next"] = page.next;
    print_json(out);
    return kOk;
  }
  for (const std::string& note : notes) fmt::print(stderr, "note: {}\n", note);
  if (page.versions.empty()) fmt::print("No version fulfils this filter.\n");
  print_page(page, "backstay search " + quoted(a.filter) + limit_text(a.limit) + context.data_dir_option());
  return kOk;
}

/// JSON is one list of everything, as long as nobody asks for a page of it.
Result<ExitCode> list(const Context& context, const Arguments& a, bool paged) {
  TRY(const auto opened, context.open());
  const std::string filter = services::filter_of_model(a.model);
  const bool whole = context.common.json && !paged;
  TRY(SearchPage page,
      services::search_versions(opened->search(), filter, a.cursor, whole ? services::kMaxPage : a.limit));
  if (context.common.json) {
    json out = json::array();
    while (true) {
      for (const StoredVersion& version : page.versions) out.push_back(api::to_json(version));
      if (!whole || page.next.empty()) break;
      TRY(page, services::search_versions(opened->search(), filter, page.next, services::kMaxPage));
    }
    print_json(whole ? out : json{{"versions", out}, {"next", page.next.empty() ? json(nullptr) : json(page.next)}});
    return kOk;
  }
  if (page.versions.empty() && a.cursor.empty())
    fmt::print("No version is registered{}. Start with: backstay register version.yaml\n",
               a.model.empty() ? "" : " of " + a.model);
  print_page(
      page, "backstay list" + (a.model.empty() ? "" : " " + a.model) + limit_text(a.limit) + context.data_dir_option());
  return kOk;
}

}  // namespace

void add_search_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  const auto add_paging = [&a](CLI::App* command) {
    command->add_option("--limit", a.limit, "Most versions to print, up to 500")->capture_default_str();
    command->add_option("--cursor", a.cursor, "Go on where the page before ended: what it printed as its next one");
  };

  CLI::App* command = context.add(context.app, "list", "List versions, newest first", "backstay list breast-cancer");
  command->add_option("MODEL", a.model, "Only this model");
  add_paging(command);
  context.on(command, [context, arguments, command] {
    return list(context, *arguments, command->count("--limit") + command->count("--cursor") > 0);
  });

  command =
      context.add(context.app, "search", "Find versions by a filter (docs/search.md)",
                  "backstay search 'accuracy > 0.95 AND data.slice = \"2025-08/zip-100*\" AND stage != Archived'");
  command->add_option("FILTER", a.filter, "Conditions on any field, then ORDER BY; quote it for the shell")->required();
  add_paging(command);
  context.on(command, [context, arguments] { return search(context, *arguments); });
}

}  // namespace backstay::cli
