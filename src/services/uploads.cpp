#include "services/uploads.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "base/descriptor.hpp"
#include "base/random.hpp"
#include "services/local_files.hpp"
#include "wire/document.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxUploads = 1000;

Unexpected unknown(const std::string& id) {
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no upload {}.", id),
                    "It was given up, or forgotten because nothing came for too long: begin a new one.");
}

bool is_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

struct Facts {
  std::uint64_t length = 0;
  Digest sha256;
};

Result<Facts> read_facts(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  TRY(const wire::Document document, wire::Document::from_json(path.string(), text));
  wire::Fields fields(document);
  Facts facts;
  std::string hex;
  fields.optional("length", facts.length);
  fields.required("sha256", hex);
  TRY_DO(fields.finish());
  TRY(facts.sha256, Digest::from_hex(hex));
  return facts;
}

Result<void> write_facts(const fs::path& path, const Facts& facts) {
  const std::string text = fmt::format("{{\"length\":{},\"sha256\":\"{}\"}}\n", facts.length, facts.sha256.hex());
  const fs::path part = path.string() + ".part";
  const Descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      fsync(file.get()) == 0 && rename(part.c_str(), path.c_str()) == 0)
    return {};
  const int why = errno;
  unlink(part.c_str());
  return Unexpected(error_from_errno(why, "cannot write " + path.string()));
}

/// When something came last.
Result<Timestamp> touched_at(const fs::path& path) {
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) return Unexpected(error_from_errno(errno, "cannot look at " + path.string()));
  return Timestamp(seconds(facts.st_mtim.tv_sec) + microseconds(facts.st_mtim.tv_nsec / 1000));
}

}  // namespace

Result<std::unique_ptr<Uploads>> Uploads::open(BlobStore& blobs, const fs::path& folder, milliseconds lifetime,
                                               const Clock& clock) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return Unexpected(error_from_errno(errno, "cannot make " + folder.string()));
  std::unique_ptr<Uploads> uploads(new Uploads(blobs, folder, lifetime, clock));
  TRY_DO(uploads->forget_expired());
  TRY(const std::vector<std::string> ids, uploads->ids());
  for (const std::string& id : ids) {
    const auto upload = uploads->find(id);
    std::error_code failure;
    if (!upload || upload->offset != upload->length || !fs::exists(uploads->data_of(id), failure)) continue;
    auto stored = uploads->store(*upload);
    // Other bytes than were said: it is gone, and whoever sent it will hear so.
    if (!stored && stored.error().code != ErrorCode::kInvalidArgument) return Unexpected(std::move(stored).error());
  }
  return uploads;
}

Result<Uploads::Upload> Uploads::create(std::uint64_t length, const Digest& sha256) {
  TRY_DO(forget_expired());
  TRY_DO(blobs_.begin(length));  // Asks for the quota.
  std::error_code failure;
  const auto files = std::distance(fs::directory_iterator(folder_, failure), fs::directory_iterator());
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot read " + folder_.string()));
  if (static_cast<std::size_t>(files) >= 2 * kMaxUploads)
    return Unexpected(ErrorCode::kResourceExhausted, fmt::format("{} uploads are under way.", kMaxUploads),
                      "Finish or delete some of them first.");
  const std::string id = fmt::format("{:016x}{:016x}", secure_random(), secure_random());
  TRY_DO(write_facts(facts_of(id), {length, sha256}));
  const Descriptor data(::open(data_of(id).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!data) return Unexpected(error_from_errno(errno, "cannot make " + data_of(id).string()));
  // Nothing will come for it.
  if (length == 0) TRY_DO(append(id, 0, [](const BlobSink&) { return true; }));
  return find(id);
}

Result<Uploads::Upload> Uploads::find(const std::string& id) const {
  std::error_code failure;
  if (!is_id(id) || !fs::exists(facts_of(id), failure)) return unknown(id);
  TRY(const Facts facts, read_facts(facts_of(id)));
  Upload upload{id, facts.length, 0, facts.sha256, {}};
  if (fs::exists(data_of(id), failure)) {
    upload.offset = fs::file_size(data_of(id), failure);
    if (failure) return unknown(id);
    TRY(const Timestamp at, touched_at(data_of(id)));
    upload.expires = at + lifetime_;
  } else {
    // Stored already: who did not hear it asks again.
    TRY(const bool stored, blobs_.contains(facts.sha256));
    if (!stored) return unknown(id);
    upload.offset = facts.length;
    TRY(const Timestamp at, touched_at(facts_of(id)));
    upload.expires = at + lifetime_;
  }
  if (upload.expires <= clock_.now()) return unknown(id);
  return upload;
}

Result<Uploads::Upload> Uploads::append(const std::string& id, std::uint64_t offset,
                                        const std::function<bool(const BlobSink&)>& pull) {
  TRY(Upload upload, find(id));
  const fs::path path = data_of(id);
  const Descriptor data(::open(path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  if (data && flock(data.get(), LOCK_EX | LOCK_NB) != 0)
    return Unexpected(ErrorCode::kConflict, "Another request writes to this upload.",
                      "Wait for it to end, then ask for the offset.");
  if (data && fstat(data.get(), &facts) == 0) upload.offset = static_cast<std::uint64_t>(facts.st_size);
  if (offset != upload.offset || (!data && upload.offset != upload.length))
    return Unexpected(ErrorCode::kConflict, fmt::format("The upload is at offset {}, not {}.", upload.offset, offset),
                      "Ask for the offset with HEAD and go on from there.");
  if (!data) return upload;
  Result<void> written;
  pull([&](std::span<const std::byte> bytes) -> Result<void> {
    if (bytes.size() > upload.length - upload.offset) {
      written = Unexpected(ErrorCode::kInvalidArgument,
                           fmt::format("More came than the {} bytes that were said.", upload.length),
                           "Begin a new upload with the right length.");
    } else {
      written = write_all(data.get(), bytes, path.string());
    }
    if (written) upload.offset += bytes.size();
    return written;
  });
  if (fsync(data.get()) != 0 && written) written = Unexpected(error_from_errno(errno, "cannot sync " + path.string()));
  TRY_DO(written);
  if (upload.offset == upload.length) TRY_DO(store(upload));
  return find(id);
}

Result<void> Uploads::store(const Upload& upload) {
  const fs::path path = data_of(upload.id);
  TRY(const std::unique_ptr<BlobWriter> writer, blobs_.begin(upload.length));
  Sha256 hash;
  TRY_DO(read_file(path, [&](std::span<const std::byte> bytes) {
    hash.update(bytes);
    return writer->write(bytes);
  }));
  const Digest seen = hash.finish();
  if (seen != upload.sha256) {
    TRY_DO(remove(upload.id));
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("The content has the digest {}, not {}.", seen.hex(), upload.sha256.hex()),
                      "Nothing was stored; begin a new upload of the bytes that belong to the digest.");
  }
  TRY_DO(writer->commit());
  unlink(path.c_str());
  return {};
}

Result<void> Uploads::remove(const std::string& id) {
  std::error_code failure;
  if (!is_id(id) || !fs::exists(facts_of(id), failure)) return unknown(id);
  // The facts last: without them nobody finds the data, with them what is left is forgotten later.
  unlink(data_of(id).c_str());
  if (unlink(facts_of(id).c_str()) != 0 && errno != ENOENT)
    return Unexpected(error_from_errno(errno, "cannot remove " + facts_of(id).string()));
  return {};
}

Result<std::vector<std::string>> Uploads::ids() const {
  std::vector<std::string> ids;
  std::error_code failure;
  for (fs::directory_iterator entry(folder_, failure), end; !failure && entry != end; entry.increment(failure)) {
    const std::string id = entry->path().stem().string();
    if (entry->path().extension() == ".json" && is_id(id)) ids.push_back(id);
  }
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot read " + folder_.string()));
  return ids;
}

Result<std::size_t> Uploads::forget_expired() {
  TRY(const std::vector<std::string> known, ids());
  std::size_t forgotten = 0;
  for (const std::string& id : known) {
    const auto upload = find(id);
    if (upload || upload.error().code != ErrorCode::kNotFound) continue;
    const Descriptor data(::open(data_of(id).c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    if (data && flock(data.get(), LOCK_EX | LOCK_NB) != 0) continue;  // A slow one is still coming.
    TRY_DO(remove(id));
    ++forgotten;
  }
  return forgotten;
}

}  // namespace backstay::services
