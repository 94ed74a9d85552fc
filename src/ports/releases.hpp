#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/audit/entry.hpp"
#include "domain/registry/infrastructure.hpp"
#include "domain/registry/semantic_version.hpp"

/// What is kept about versions after they are registered. As with the ledger: one transaction with its audit entry,
/// durable when it returns, thread-safe.
namespace backstay {

/// A free pointer to a version of its model.
struct Alias {
  std::string name;
  registry::VersionRef ref;
  Timestamp since;
  std::string set_by;
};

class ReleaseStore {
 public:
  virtual ~ReleaseStore() = default;

  /// kConflict when the version isn't in stage `expected` any more: someone else moved it.
  virtual Result<void> move_stage(const registry::VersionRef& ref, const std::string& expected,
                                  const std::string& stage, const audit::Draft& draft) = 0;
  /// Points the alias to `version`, or removes it (nullopt). `expected` is where it must point now, nullopt = nowhere;
  /// kConflict when it doesn't.
  virtual Result<void> set_alias(const std::string& model, const std::string& name,
                                 const std::optional<registry::SemanticVersion>& version,
                                 const std::optional<registry::SemanticVersion>& expected,
                                 const audit::Draft& draft) = 0;
  /// By name.
  virtual Result<std::vector<Alias>> aliases(const std::string& model) const = 0;
  /// Every audit entry about the model's versions and about the rollouts of it, oldest first.
  virtual Result<std::vector<audit::Entry>> history(const std::string& model) const = 0;
};

/// What infrastructure is live, as it was declared.
class InfrastructureStore {
 public:
  virtual ~InfrastructureStore() = default;
  virtual Result<void> declare(const std::vector<registry::Infrastructure>& items, const audit::Draft& draft) = 0;
  /// By name; what was removed is still there, marked so.
  virtual Result<std::vector<registry::Infrastructure>> infrastructure() const = 0;
};

}  // namespace backstay
