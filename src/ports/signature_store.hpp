#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/audit/entry.hpp"
#include "domain/registry/semantic_version.hpp"

namespace backstay {

/// A signature of a version, as it was made; append-only.
struct StoredSignature {
  std::int64_t id = 0;
  std::string bundle;  ///< The Sigstore bundle's JSON: model.sig.
  std::string signer;  ///< The key's id or the certificate's subject.
  Timestamp at;
  std::string signed_by;  ///< Who ran the command.
};

/// Adding is one transaction that includes its audit entry. Thread-safe.
class SignatureStore {
 public:
  virtual ~SignatureStore() = default;
  /// `id` and `at` of what is given are ignored.
  virtual Result<StoredSignature> add_signature(const registry::VersionRef& ref, const StoredSignature& signature,
                                                const audit::Draft& draft) = 0;
  /// Newest first.
  virtual Result<std::vector<StoredSignature>> signatures(const registry::VersionRef& ref) const = 0;
};

}  // namespace backstay
