#pragma once

#include <memory>

#include "domain/audit/entry.hpp"
#include "domain/audit/merkle.hpp"
#include "storage/sqlite/database.hpp"

/// The audit log's rows and its Merkle tree. The table audit_tree has one row per entry with the hashes of the complete
/// subtrees that the entry completes, leaf first: two on average, and none is ever changed. A node is found by the
/// entry that completes it, so a proof or the root reads O(log n) rows.
namespace backstay::sqlite {

/// Appends entries within one transaction of the caller's, with statements that are prepared once.
class AuditAppender {
 public:
  static Result<AuditAppender> begin(const Database& database);
  Result<void> append(Timestamp now, const audit::Draft& draft);
  /// What was appended last.
  const audit::Entry& last() const { return *last_; }

 private:
  AuditAppender(const Database& database, const std::optional<audit::Entry>& last);

  std::optional<audit::Entry> last_;  ///< Its place and hash are what matters.
  audit::CompactRange edge_;
  Statement insert_entry_;
  Statement insert_nodes_;
};

Result<Digest> read_tree_node(const Database& database, audit::NodeId node);

/// Fills audit_tree from the entries there are: for registries that were made before it.
Result<void> build_tree(const Database& database);

}  // namespace backstay::sqlite
