#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Uploads of blobs that go on where they were interrupted, whichever side was. What came is kept in a folder of the
/// data directory, synced before it is acknowledged; when all has come it is hashed on its way into the store. One that
/// gets nothing for its lifetime is forgotten. Thread-safe; one process per folder.
class Uploads {
 public:
  struct Upload {
    std::string id;
    std::uint64_t length = 0;
    std::uint64_t offset = 0;  ///< How much has come. All: the blob is stored.
    Digest sha256;
    Timestamp expires;
  };
  /// Makes the folder (0700) if it is not there, and stores what had come whole when the process was killed.
  static Result<std::unique_ptr<Uploads>> open(BlobStore& blobs, const std::filesystem::path& folder,
                                               milliseconds lifetime, const Clock& clock);

  /// kResourceExhausted when it can't fit into the store, or too many are under way.
  Result<Upload> create(std::uint64_t length, const Digest& sha256);
  /// kNotFound when it is unknown or was forgotten.
  Result<Upload> find(const std::string& id) const;
  /// `pull` feeds the bytes to the sink it is given; false: they ended early, and what came is kept. kConflict when
  /// `offset` is not where the upload is or another request writes to it; kInvalidArgument when more comes than was
  /// said, or when all of it has another digest than was said: the upload is gone then.
  Result<Upload> append(const std::string& id, std::uint64_t offset, const std::function<bool(const BlobSink&)>& pull);
  Result<void> remove(const std::string& id);
  /// Forgets what has expired; returns how many. Called by create(), too.
  Result<std::size_t> forget_expired();

 private:
  Uploads(BlobStore& blobs, std::filesystem::path folder, milliseconds lifetime, const Clock& clock)
      : blobs_(blobs), folder_(std::move(folder)), lifetime_(lifetime), clock_(clock) {}
  std::filesystem::path data_of(const std::string& id) const { return folder_ / (id + ".data"); }
  std::filesystem::path facts_of(const std::string& id) const { return folder_ / (id + ".json"); }
  Result<void> store(const Upload& upload);
  Result<std::vector<std::string>> ids() const;

  BlobStore& blobs_;
  const std::filesystem::path folder_;
  const milliseconds lifetime_;
  const Clock& clock_;
};

}  // namespace backstay::services
