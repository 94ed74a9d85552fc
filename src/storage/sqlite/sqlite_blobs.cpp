#include "storage/sqlite/ledger_impl.hpp"
#include "wire/manifest_json.hpp"

namespace backstay {

Result<void> SqliteLedger::referenced_blobs(const std::function<void(const BlobReference&)>& each) const {
  const std::lock_guard lock(impl_->mutex);
  sqlite::Statement select = impl_->database.prepare("SELECT model || '@' || version, manifest FROM versions");
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return {};
    const std::string name = select.text(0);
    TRY(const registry::Manifest manifest, wire::manifest_from_json("the stored manifest of " + name, select.text(1)));
    for (const registry::BlobOfVersion& blob : registry::blobs_of(manifest))
      each({blob.sha256, name + ": " + blob.what, blob.required});
  }
}

}  // namespace backstay
