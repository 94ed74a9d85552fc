#include "storage/sqlite/audit_tree.hpp"

#include <fmt/format.h>

#include "storage/sqlite/records.hpp"

namespace backstay::sqlite {

namespace {

constexpr const char* kInsertNodes = "INSERT INTO audit_tree(sequence, nodes) VALUES(?, ?)";
constexpr std::size_t kHashBytes = 32;

Result<void> insert_nodes(Statement& statement, const std::vector<Digest>& completed, std::uint64_t sequence) {
  std::string bytes;
  for (const Digest& node : completed) bytes.append(node.bytes.begin(), node.bytes.end());
  return statement.reset().bind(sequence, Blob{bytes}).run();
}

}  // namespace

AuditAppender::AuditAppender(const Database& database, const std::optional<audit::Entry>& last)
    : last_(last),
      edge_(last ? last->sequence : 0, [&database](audit::NodeId node) { return read_tree_node(database, node); }),
      insert_entry_(database.prepare("INSERT INTO audit VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")),
      insert_nodes_(database.prepare(kInsertNodes)) {}

Result<AuditAppender> AuditAppender::begin(const Database& database) {
  Statement select = database.prepare("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1");
  TRY(const bool there_is, select.step());
  std::optional<audit::Entry> last;
  if (there_is) {
    last.emplace();
    last->sequence = static_cast<std::uint64_t>(select.integer(0));
    last->hash = select.digest(1);
  }
  return AuditAppender(database, last);
}

Result<void> AuditAppender::append(Timestamp now, const audit::Draft& draft) {
  last_ = audit::link(last_ ? &*last_ : nullptr, now, draft);
  const audit::Entry& entry = *last_;
  insert_entry_.reset().bind(entry.sequence, entry.at, draft.actor, draft.action, draft.subject, draft.reason,
                             draft.evidence, entry.previous, entry.hash);
  TRY_DO(insert_entry_.run());
  TRY(const std::vector<Digest> completed, edge_.append(audit::leaf_hash(audit::leaf_bytes(entry))));
  return insert_nodes(insert_nodes_, completed, entry.sequence);
}

Result<Digest> read_tree_node(const Database& database, audit::NodeId node) {
  const Unexpected none(ErrorCode::kNotFound, "The audit log has no such node.", "It has fewer entries.");
  if (node.level >= 63 || node.index >= std::uint64_t{1} << (62 - node.level)) return none;
  const std::uint64_t sequence = (node.index + 1) << node.level;
  Statement select = database.prepare("SELECT nodes FROM audit_tree WHERE sequence = ?");
  TRY(const bool found, select.bind(sequence).step());
  if (!found) return none;
  const std::string bytes = select.blob(0);
  if (bytes.size() < (node.level + 1) * kHashBytes)
    return Unexpected(ErrorCode::kIntegrity, fmt::format("The audit tree lacks hashes of entry {}.", sequence),
                      "Someone changed the registry's file: keep it as evidence and restore a backup.");
  Digest digest;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(node.level * kHashBytes), kHashBytes, digest.bytes.begin());
  return digest;
}

Result<void> build_tree(const Database& database) {
  audit::CompactRange edge;
  Statement insert = database.prepare(kInsertNodes);
  Statement select = database.prepare("SELECT * FROM audit ORDER BY sequence");
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return {};
    const audit::Entry entry = read_audit_row(select);
    TRY(const std::vector<Digest> completed, edge.append(audit::leaf_hash(audit::leaf_bytes(entry))));
    TRY_DO(insert_nodes(insert, completed, edge.size()));
  }
}

}  // namespace backstay::sqlite
