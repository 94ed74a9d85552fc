#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "cli/terminal.hpp"
#include "services/check_store.hpp"
#include "services/collect_garbage.hpp"

/// Commands that keep the store of blobs in order.
namespace backstay::cli {

using nlohmann::json;

namespace {

struct Arguments {
  std::string older_than = "24h";
  std::string repair_from;
  bool dry_run = false;
  bool repair = false;
};

json to_json(const StoreUsage& usage) {
  return {{"blobs", usage.blobs},
          {"blob_bytes", usage.blob_bytes},
          {"stored_bytes", usage.stored_bytes},
          {"files", usage.files},
          {"chunks", usage.chunks}};
}

Result<ExitCode> collect(const Context& context, const Arguments& arguments) {
  TRY(const milliseconds lease, parse_duration(arguments.older_than));
  if (lease < milliseconds{0})
    return Unexpected(ErrorCode::kInvalidArgument, "--older-than is below zero.", "Write it like 24h.");
  TRY(const auto opened, context.open());
  TRY(const Collected done, services::collect_garbage(opened->registry().versions, opened->records().audit,
                                                      opened->blob_upkeep(), {lease, arguments.dry_run},
                                                      {context.common.actor}, progress_on_terminal(Unit::kItems)));
  TRY(const StoreUsage usage, opened->blob_upkeep().usage());
  if (context.common.json) {
    print_json({{"dry_run", arguments.dry_run},
                {"blobs", done.blobs},
                {"copies", done.copies},
                {"packs", done.packs},
                {"freed_bytes", done.freed_bytes},
                {"kept_young", done.kept_young},
                {"store", to_json(usage)}});
    return kOk;
  }
  fmt::print("{} {}: {} blobs that no version refers to, {} spare copies, {} packs\n",
             arguments.dry_run ? "would free" : "freed", human_bytes(done.freed_bytes), done.blobs, done.copies,
             done.packs);
  if (done.kept_young > 0) fmt::print("kept {} more that are younger than {}\n", done.kept_young, arguments.older_than);
  fmt::print("the store has {} blobs of {} in {} on disk ({} files, {} chunks)\n", usage.blobs,
             human_bytes(usage.blob_bytes), human_bytes(usage.stored_bytes), usage.files, usage.chunks);
  return kOk;
}

void print_check(const services::StoreCheck& check) {
  for (const services::StoreProblem& problem : check.problems) {
    const std::string state =
        problem.repaired ? coloured(Colour::kGreen, "repaired") : coloured(Colour::kRed, problem.kind);
    fmt::print("{}  {}\n    {}\n", state, problem.what, problem.where);
  }
  const auto blobs = [](std::uint64_t count) { return fmt::format("{} {}", count, count == 1 ? "blob" : "blobs"); };
  fmt::print("{} hashed; records refer to {}", human_bytes(check.checked_bytes), blobs(check.referenced_blobs));
  if (check.unreferenced_blobs > 0) fmt::print(", not to {} (backstay gc)", blobs(check.unreferenced_blobs));
  fmt::print("\n");
}

Result<ExitCode> fsck(const Context& context, const Arguments& arguments) {
  // A folder of blobs alone has no records.
  const std::filesystem::path records = std::filesystem::path(arguments.repair_from) / "registry.db";
  std::error_code ignored;
  const bool with_records = !arguments.repair_from.empty() && std::filesystem::exists(records, ignored);
  TRY(const auto opened, context.open(with_records ? IfMissing::kMake : IfMissing::kRefuse));
  std::unique_ptr<BlobStore> other;
  if (!arguments.repair_from.empty()) {
    TRY(other, opened->open_other(arguments.repair_from));
  }
  TRY(const services::StoreCheck check,
      services::check_store(opened->registry(), opened->record_check(), opened->blob_upkeep(),
                            {arguments.repair || other != nullptr,
                             other.get(),
                             with_records ? records.string() : "",
                             {context.common.actor}},
                            progress_on_terminal(Unit::kBytes)));
  std::uint64_t open = 0;
  std::uint64_t repairable = 0;
  for (const services::StoreProblem& problem : check.problems) {
    open += problem.repaired ? 0 : 1;
    repairable += !problem.repaired && problem.repairable ? 1 : 0;
  }
  if (context.common.json) {
    json problems = json::array();
    for (const services::StoreProblem& p : check.problems)
      problems.push_back({{"kind", p.kind},
                          {"what", p.what},
                          {"where", p.where},
                          {"repairable", p.repairable},
                          {"repaired", p.repaired}});
    print_json({{"problems", std::move(problems)},
                {"open", open},
                {"referenced_blobs", check.referenced_blobs},
                {"unreferenced_blobs", check.unreferenced_blobs},
                {"checked_bytes", check.checked_bytes}});
    return open == 0 ? kOk : kIntegrity;
  }
  print_check(check);
  if (open == 0) {
    fmt::print("{}\n", coloured(Colour::kGreen, check.problems.empty() ? "everything is as it was stored"
                                                                       : "everything is as it was stored again"));
    return kOk;
  }
  return Unexpected(
      ErrorCode::kIntegrity,
      fmt::format("{} not repaired.", open == 1 ? "One problem is" : fmt::format("{} problems are", open)),
      repairable > 0 ? "Run: backstay fsck --repair"
                     : "Restore from another store with backstay fsck --repair-from PATH, or register the "
                       "same files again.");
}

}  // namespace

void add_store_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;

  CLI::App* command = context.add(context.app, "gc", "Free what no version refers to; safe while others register",
                                  "backstay gc --dry-run");
  command->add_flag("--dry-run", a.dry_run, "Only tell what would go");
  command
      ->add_option("--older-than", a.older_than,
                   "Keep what was stored or found again within this time: uploads whose version is still to come")
      ->capture_default_str();
  context.on(command, [context, arguments] { return collect(context, *arguments); });

  command = context.add(
      context.app, "fsck",
      "Check every record and hash every byte again; names what was changed, exit 9 when something stays wrong",
      "backstay fsck --repair-from /mnt/backup/backstay-data");
  command->add_flag("--repair", a.repair, "Put right what can be with what is here");
  command->add_option("--repair-from", a.repair_from,
                      "Data directory (or its blobs/) to restore from; bytes are verified");
  context.on(command, [context, arguments] { return fsck(context, *arguments); });
}

}  // namespace backstay::cli
