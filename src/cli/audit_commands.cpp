#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "api/json.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "services/prove_audit.hpp"

/// The audit log: looking at it, checking it, and evidence for those who have only its public key.
namespace backstay::cli {

using nlohmann::json;

namespace {

struct Arguments {
  std::uint64_t from = 0;  ///< 0: so that the newest are the last.
  std::uint64_t limit = 50;
  bool verify = false;
  std::string checkpoint;  ///< A file.
  std::uint64_t sequence = 0;
  std::string older;  ///< A file.
  std::string output;
  std::string file;
  std::string key;  ///< A file or the key's text.
  bool pem = false;
};

/// "1.0.0 -> 1.1.0  " when the entry is about a rollout.
std::string moved_text(const audit::Entry& entry) {
  const json evidence = json::parse(entry.draft.evidence, nullptr, false);
  if (!evidence.is_object() || !evidence.contains("from") || !evidence.contains("to")) return "";
  const std::string from = evidence.value("from", "");
  return (from.empty() ? "first version " : from + " -> ") + evidence.value("to", "") + "  ";
}

json tree_json(const audit::TreeHead& tree) {
  return {{"size", tree.size}, {"root_sha256", tree.root.hex()}};
}

json leaf_json(const audit::Leaf& leaf) {
  return {{"sequence", leaf.sequence},
          {"at", to_rfc3339(leaf.at)},
          {"actor", leaf.actor},
          {"action", leaf.action},
          {"subject", leaf.subject},
          {"reason", leaf.reason},
          {"evidence_sha256", leaf.evidence_sha256.hex()}};
}

Result<services::LogKey> read_log_key(const std::string& given) {
  std::error_code ignored;
  if (!std::filesystem::exists(given, ignored)) return services::LogKey::from_text(given);
  TRY(const std::string text, read_text(given));
  auto key = services::LogKey::from_text(text);
  if (!key) return Unexpected(std::move(key).error().within(given));
  return key;
}

/// To the file, which must not be there yet, or to standard output.
Result<void> write_evidence(const std::string& path, const std::string& text) {
  if (path.empty()) {
    fmt::print("{}", text);
    return {};
  }
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored))
    return Unexpected(ErrorCode::kConflict, fmt::format("{} exists already.", path), "Name another file.");
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file)
    return Unexpected(ErrorCode::kResourceExhausted, fmt::format("{} can't be written.", path),
                      "Check the folder and the space that is left there.");
  fmt::print(stderr, "wrote {}\n", path);
  return {};
}

Result<ExitCode> give(const Context& context, const Arguments& arguments, const std::string& text) {
  if (context.common.json && arguments.output.empty()) {
    print_json({{"text", text}});
    return kOk;
  }
  TRY_DO(write_evidence(arguments.output, text));
  if (context.common.json) print_json({{"file", arguments.output}});
  return kOk;
}

Result<ExitCode> verify_log(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  std::optional<audit::Checkpoint> earlier;
  if (!arguments.checkpoint.empty()) {
    TRY(const std::string note, read_text(arguments.checkpoint));
    TRY(const services::LogSigner signer, opened->log_signer());
    TRY(earlier, services::LogKey(signer.verifier()).open(note));
  }
  TRY(const audit::TreeHead tree, services::verify_log(opened->records().audit, earlier));
  if (context.common.json) {
    json out = {{"entries", tree.size}, {"verified", true}, {"root_sha256", tree.root.hex()}};
    if (earlier) out["extends"] = tree_json(earlier->tree);
    print_json(out);
    return kOk;
  }
  fmt::print("{} {} entries, every link and hash checked{}\n", coloured(Colour::kGreen, "verified:"), tree.size,
             earlier ? fmt::format("; the first {} are those of the checkpoint", earlier->tree.size) : "");
  return kOk;
}

Result<ExitCode> show_audit(const Context& context, const Arguments& arguments) {
  if (!arguments.checkpoint.empty() && !arguments.verify)
    return Unexpected(ErrorCode::kInvalidArgument, "--checkpoint is for --verify.",
                      "Say: backstay audit --verify --checkpoint FILE");
  if (arguments.verify) return verify_log(context, arguments);
  if (arguments.limit == 0)
    return Unexpected(ErrorCode::kInvalidArgument, "--limit 0 would print nothing.", "Ask for at least 1 entry.");
  TRY(const auto opened, context.open());
  TRY(const std::uint64_t size, opened->records().audit.size());
  const std::uint64_t newest = size > arguments.limit ? size - arguments.limit + 1 : 1;
  const std::uint64_t from = arguments.from > 0 ? arguments.from : newest;
  TRY(const std::vector<audit::Entry> entries, opened->records().audit.read(from, arguments.limit));
  if (context.common.json) {
    json out = json::array();
    for (const audit::Entry& entry : entries) out.push_back(api::to_json(entry));
    print_json(out);
    return kOk;
  }
  for (const audit::Entry& entry : entries) {
    fmt::print("{:>4}  {}  {:<18} {}  by {}\n", entry.sequence, to_rfc3339(entry.at).substr(0, 23) + "Z",
               coloured(Colour::kBold, entry.draft.action), entry.draft.subject, entry.draft.actor);
    const std::string detail = moved_text(entry) + entry.draft.reason;
    if (!detail.empty()) fmt::print("      {}\n", coloured(Colour::kDim, detail));
  }
  if (const std::uint64_t earlier = std::min(from - 1, size); earlier > 0)
    fmt::print("{} earlier entries: backstay audit --from 1{}\n", earlier, context.data_dir_option());
  return kOk;
}

Result<ExitCode> checkpoint(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const services::LogSigner signer, opened->log_signer());
  TRY(const std::string note, services::signed_checkpoint(opened->records().audit, signer));
  return give(context, arguments, note);
}

Result<ExitCode> prove(const Context& context, const Arguments& arguments) {
  if ((arguments.sequence == 0) == arguments.older.empty() ||
      (!arguments.older.empty() && !arguments.checkpoint.empty()))
    return Unexpected(ErrorCode::kInvalidArgument, "Say what is to be proved: an entry, or that the log only grew.",
                      "backstay audit prove 7, or backstay audit prove --from OLD-CHECKPOINT");
  TRY(const auto opened, context.open());
  TRY(const services::LogSigner signer, opened->log_signer());
  if (!arguments.older.empty()) {
    TRY(const std::string older, read_text(arguments.older));
    TRY(const std::string proof, services::prove_extension(opened->records().audit, signer, older));
    return give(context, arguments, proof);
  }
  std::optional<std::string> note;
  if (!arguments.checkpoint.empty()) {
    TRY(note, read_text(arguments.checkpoint));
  }
  TRY(const std::string proof, services::prove_entry(opened->records().audit, signer, arguments.sequence, note));
  return give(context, arguments, proof);
}

Result<ExitCode> verify_evidence(const Context& context, const Arguments& arguments) {
  TRY(const services::LogKey key, read_log_key(arguments.key));
  TRY(const std::string text, read_text(arguments.file));
  auto checked = services::check_evidence(text, key);
  if (!checked) return Unexpected(std::move(checked).error().within(arguments.file));
  if (context.common.json) {
    json out = {
        {"verified", true}, {"log", checked->checkpoint.origin}, {"checkpoint", tree_json(checked->checkpoint.tree)}};
    if (checked->entry) out["entry"] = leaf_json(*checked->entry);
    if (checked->older) out["extends"] = tree_json(checked->older->tree);
    print_json(out);
    return kOk;
  }
  const std::string verified = coloured(Colour::kGreen, "verified:");
  const audit::TreeHead& tree = checked->checkpoint.tree;
  if (checked->older) {
    fmt::print("{} {} of {} entries begins with all {} of the older checkpoint\n", verified, checked->checkpoint.origin,
               tree.size, checked->older->tree.size);
  } else if (!checked->entry) {
    fmt::print("{} checkpoint of {}: {} entries, root {}\n", verified, checked->checkpoint.origin, tree.size,
               tree.root.hex());
  } else {
    const audit::Leaf& leaf = *checked->entry;
    fmt::print("{} entry {} of the {} in {}\n", verified, leaf.sequence, tree.size, checked->checkpoint.origin);
    fmt::print(
        "  at        {}\n  actor     {}\n  action    {}\n  subject   {}\n  reason    {}\n  evidence  sha256:{}\n",
        to_rfc3339(leaf.at), leaf.actor, leaf.action, leaf.subject, leaf.reason, leaf.evidence_sha256.hex());
  }
  return kOk;
}

Result<ExitCode> print_key(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const services::LogSigner signer, opened->log_signer());
  const signing::NoteKey verifier = signer.verifier();
  if (context.common.json) {
    print_json({{"name", verifier.name}, {"key", signing::to_text(verifier)}, {"pem", verifier.key.pem()}});
  } else {
    fmt::print("{}", arguments.pem ? verifier.key.pem() : signing::to_text(verifier) + "\n");
  }
  return kOk;
}

}  // namespace

void add_audit_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;

  CLI::App* log =
      context.add(context.app, "audit", "Who changed and decided what, when and why; --verify checks it all",
                  "backstay audit --verify");
  log->add_flag("--verify", a.verify, "Check every link, hash and tree node instead of printing");
  log->add_option("--checkpoint", a.checkpoint, "With --verify: a checkpoint that the log must extend");
  log->add_option("--from", a.from, "First entry (default: the newest are shown)");
  log->add_option("--limit", a.limit, "Most entries to print")->capture_default_str();
  // CLI11 calls this after the callback of a subcommand, which is then what was meant.
  log->callback([context, arguments, log] {
    if (log->get_subcommands().empty())
      context.action = [context, arguments] { return show_audit(context, *arguments); };
  });

  CLI::App* command = context.add(*log, "checkpoint", "Print a signed checkpoint: the log's size and root",
                                  "backstay audit checkpoint --output monday.checkpoint");
  command->add_option("--output", a.output, "Write to this file instead");
  context.on(command, [context, arguments] { return checkpoint(context, *arguments); });

  command = context.add(*log, "prove", "Evidence that an entry is in the log, or that the log only grew",
                        "backstay audit prove 7 --output entry-7.tlog-proof");
  command->add_option("SEQUENCE", a.sequence, "The entry's number");
  command->add_option("--checkpoint", a.checkpoint, "A checkpoint that the proof is to be for (default: a new one)");
  command->add_option("--from", a.older, "An older checkpoint: prove that the log extends it");
  command->add_option("--output", a.output, "Write to this file instead of standard output");
  context.on(command, [context, arguments] { return prove(context, *arguments); });

  command = context.add(*log, "verify", "Check a proof or checkpoint with the log's public key only, offline",
                        "backstay audit verify entry-7.tlog-proof --key audit.pub");
  command->add_option("FILE", a.file, "What audit prove or audit checkpoint wrote; - is standard input")->required();
  command->add_option("--key", a.key, "The log's public key (backstay audit key): a file, or its text")->required();
  context.on(command, [context, arguments] { return verify_evidence(context, *arguments); });

  command = context.add(*log, "key", "Print the log's public key", "backstay audit key > audit.pub");
  command->add_flag("--pem", a.pem, "In PEM form, for other programs");
  context.on(command, [context, arguments] { return print_key(context, *arguments); });
}

}  // namespace backstay::cli
