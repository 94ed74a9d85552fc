#include "services/register_version.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "services/keep_bytes.hpp"
#include "services/local_files.hpp"
#include "services/measure_data.hpp"
#include "services/next_version.hpp"
#include "services/scan_version.hpp"
#include "wire/manifest_json.hpp"

namespace backstay::services {

namespace {

constexpr std::size_t kDifferencesShown = 5;

std::uint64_t total_bytes(const std::vector<FoundFile>& files) {
  std::uint64_t total = 0;
  for (const FoundFile& file : files) total += file.size_bytes;
  return total;
}

std::uint64_t total_bytes(const std::vector<PlannedSlices>& data) {
  std::uint64_t total = 0;
  for (const PlannedSlices& part : data) total += part.bytes();
  return total;
}

/// Copies files into the blob store, or only hashes them when there is none, and tells how far it is.
class Intake {
 public:
  Intake(BlobStore* blobs, std::uint64_t total, const OnProgress& progress)
      : blobs_(blobs), progress_(progress), state_{"", 0, total} {}

  Result<BlobInfo> store(const FoundFile& file) {
    if (blobs_ == nullptr) return hash(file);
    TRY(const std::unique_ptr<BlobWriter> writer, blobs_->begin(file.size_bytes));
    state_.name = file.name;
    TRY_DO(read_file_into(file.source, *writer, [&](std::uint64_t bytes) { advance(bytes); }));
    return writer->commit();
  }

  Result<void> pump(const FoundFile& file, const std::function<Result<void>(std::span<const std::byte>)>& sink) {
    state_.name = file.name;
    return read_file(file.source, [&](std::span<const std::byte> piece) {
      advance(piece.size());
      return sink(piece);
    });
  }

  void advance(std::uint64_t bytes) {
    state_.done_bytes = std::min(state_.done_bytes + bytes, state_.total_bytes);
    if (progress_) progress_(state_);
  }

 private:
  Result<BlobInfo> hash(const FoundFile& file) {
    Sha256 hash;
    std::uint64_t size = 0;
    TRY_DO(pump(file, [&](std::span<const std::byte> piece) -> Result<void> {
      hash.update(piece);
      size += piece.size();
      return {};
    }));
    return BlobInfo{hash.finish(), size};
  }

  BlobStore* blobs_;
  const OnProgress& progress_;
  Progress state_;
};

Result<void> store_beside(Intake& intake, const std::vector<FoundFile>& files, std::vector<registry::FileDigest>& out) {
  for (const FoundFile& file : files) {
    TRY(const BlobInfo blob, intake.store(file));
    out.push_back({file.name, blob.sha256});
  }
  return {};
}

/// A parent that is not there is a slip of the pen, or a model from elsewhere that nobody could find again by that
/// name.
Result<void> check_parents(const VersionStore& versions, const registry::Manifest& manifest) {
  for (const registry::VersionRef& parent : manifest.parents) {
    if (parent == manifest.ref) continue;  // validate() says what is wrong with that.
    const auto there = versions.version(parent);
    if (there) continue;
    if (there.error().code != ErrorCode::kNotFound) return Unexpected(Error(there.error()));
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("The parent {} of {} is not registered.", parent.str(), manifest.ref.str()),
                      "Register it first. A model from elsewhere goes into external_parents, with where it is found: "
                      "external_parents: [\"hf://google-bert/bert-base-uncased@86b5e09\"].");
  }
  return {};
}

/// The same content again is always fine, whatever is checked by now.
Result<void> check_parents_of_new(const VersionStore& versions, const registry::Manifest& manifest) {
  const auto there = versions.version(manifest.ref);
  if (there) return {};
  if (there.error().code != ErrorCode::kNotFound) return Unexpected(Error(there.error()));
  return check_parents(versions, manifest);
}

/// Two hashes tell nobody what to do: adds what differs from what is registered under this number.
Error with_differences(Error conflict, const VersionStore& versions, const registry::Manifest& now) {
  const auto stored = versions.version(now.ref);
  if (!stored) return conflict;
  const auto before = manifest_of(*stored);
  if (!before) return conflict;
  const std::vector<registry::Difference> differences = registry::diff(*before, now);
  std::string list;
  const std::size_t shown = std::min(differences.size(), kDifferencesShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const registry::Difference& d = differences[i];
    list += fmt::format("{}{} {} ({} -> {})", i == 0 ? "" : "; ", d.section, d.what,
                        d.before.empty() ? "nothing" : d.before, d.after.empty() ? "nothing" : d.after);
  }
  if (shown == 0) return conflict;
  if (differences.size() > shown) list += fmt::format("; and {} more", differences.size() - shown);
  conflict.message += fmt::format(" What differs: {}.", list);
  return conflict;
}

/// Whether `now` is what is registered, as far as `taken_as` asks.
bool is_taken(const registry::Manifest& stored, registry::Manifest now, TakenAs taken_as) {
  for (std::size_t i = 0; i < std::min(stored.data.size(), now.data.size()); ++i) {
    // Versions of before have no profile of a whole data set.
    if (!now.data[i].profile_sha256.empty()) now.data[i].profile_sha256 = stored.data[i].profile_sha256;
    for (std::size_t j = 0; j < std::min(stored.data[i].slices.size(), now.data[i].slices.size()); ++j) {
      const std::string& profile = stored.data[i].slices[j].profile_sha256;
      std::string& made_now = now.data[i].slices[j].profile_sha256;
      if (!profile.empty() && !made_now.empty()) made_now = profile;
    }
  }
  if (taken_as == TakenAs::kSameContent) {
    now.code.repository = stored.code.repository;
    now.code.commit = stored.code.commit;
    now.code.dirty_diff_sha256 = stored.code.dirty_diff_sha256;
    now.code.dirty_diff_kept = stored.code.dirty_diff_kept;
    now.environment.os = stored.environment.os;
    now.environment.hardware = stored.environment.hardware;
  }
  return stored == now;
}

/// What is registered under the number of `now`, if it is that.
Result<std::optional<RegisteredVersion>> taken(Registry registry, const registry::Manifest& now, TakenAs taken_as) {
  TRY(StoredVersion stored, registry.versions.version(now.ref));
  TRY(registry::Manifest manifest, manifest_of(stored));
  if (!is_taken(manifest, now, taken_as)) return std::optional<RegisteredVersion>();
  RegisteredVersion out;
  out.reused = !is_taken(manifest, now, TakenAs::kSame);
  if (out.reused)
    out.warnings.push_back(
        fmt::format("{} is registered already, from {}: the same files, data and configuration.", now.ref.str(),
                    manifest.code.commit.empty() ? "another place" : "commit " + manifest.code.commit));
  out.missing = registry::missing_parts(manifest);
  out.version = std::move(stored);
  out.manifest = std::move(manifest);
  return std::optional<RegisteredVersion>(std::move(out));
}

/// `verify`: the blobs may have been in the store for long.
Result<RegisteredVersion> store(Registry registry, registry::Manifest manifest, const Actor& actor, bool verify,
                                TakenAs taken_as = TakenAs::kSame) {
  TRY_DO(check_version_number(registry.versions, manifest));
  RegisteredVersion out;
  out.missing = registry::missing_parts(manifest);
  VersionStore::NewVersion fresh{manifest.ref, wire::to_canonical_json(manifest), out.missing.empty(), actor.name, {}};
  const Digest identity = sha256(fresh.manifest_json);
  TRY(fresh.scan, new_scan(registry.blobs, manifest, actor, verify));
  auto added =
      registry.versions.add_version(fresh, {actor.name, "version.register", manifest.ref.str(), manifest.changelog,
                                            fmt::format("{{\"manifest_sha256\":\"{}\",\"scan\":\"{}\"}}",
                                                        identity.hex(), scan::to_string(fresh.scan->report.verdict))});
  if (!added && added.error().code == ErrorCode::kConflict) {
    TRY(std::optional<RegisteredVersion> there, taken(registry, manifest, taken_as));
    if (there) {
      TRY(there->scan, ensure_scanned(registry, there->version.ref, actor));
      return *std::move(there);
    }
  }
  if (!added && added.error().code == ErrorCode::kConflict)
    return Unexpected(with_differences(std::move(added).error(), registry.versions, manifest));
  TRY(VersionStore::Registered stored, std::move(added));
  out.version = std::move(stored.version);
  out.created = stored.created;
  out.manifest = std::move(manifest);
  // One that was there already may be from before there was a scanner.
  TRY(out.scan, ensure_scanned(registry, out.version.ref, actor));
  return out;
}

/// The whole manifest: every file a spec names is read, and stored when there is somewhere to.
Result<registry::Manifest> describe(BlobStore* blobs, const wire::VersionSpec& spec,
                                    const std::filesystem::path& folder, const OnProgress& progress,
                                    std::vector<std::string>& warnings) {
  registry::Manifest manifest = spec.manifest;
  TRY(const std::vector<FoundFile> artifacts, find_files(folder, spec.artifacts));
  TRY(const std::vector<FoundFile> preprocessing, find_files(folder, spec.preprocessing));
  TRY(const std::vector<FoundFile> lock_files, find_files(folder, spec.lock_files));
  TRY(const std::vector<PlannedSlices> data, plan_data(folder, spec, manifest));
  for (const FoundFile& file : artifacts) manifest.artifacts.push_back({file.name, file.size_bytes, {}});
  // What can be refused is refused before a byte is copied.
  TRY_DO(registry::validate(manifest));

  Intake intake(blobs,
                total_bytes(artifacts) + total_bytes(preprocessing) + total_bytes(lock_files) + total_bytes(data),
                progress);
  for (std::size_t i = 0; i < artifacts.size(); ++i) {
    TRY(const BlobInfo blob, intake.store(artifacts[i]));
    manifest.artifacts[i] = {artifacts[i].name, blob.size_bytes, blob.sha256};
  }
  TRY_DO(store_beside(intake, preprocessing, manifest.code.preprocessing));
  TRY_DO(store_beside(intake, lock_files, manifest.environment.lock_files));
  const DataSinks sinks{[&](const FoundFile& file, const auto& sink) { return intake.pump(file, sink); },
                        [&](const std::string& json) { return keep_text(blobs, json); }, warnings,
                        [&](std::uint64_t bytes) { intake.advance(bytes); }};
  TRY_DO(measure_data(data, sinks, manifest));
  TRY_DO(registry::validate(manifest));
  return manifest;
}

}  // namespace

Result<RegisteredVersion> register_version(Registry registry, const wire::VersionSpec& spec,
                                           const std::filesystem::path& folder, const Actor& actor,
                                           const OnProgress& progress, TakenAs taken_as) {
  // What is stored from here on is not collected before the version that refers to it is in the ledger.
  TRY(const std::unique_ptr<BlobHold> hold, registry.blobs.hold());
  std::vector<std::string> warnings;
  TRY_DO(check_parents_of_new(registry.versions, spec.manifest));
  TRY(registry::Manifest manifest, describe(&registry.blobs, spec, folder, progress, warnings));
  TRY(RegisteredVersion out, store(registry, std::move(manifest), actor, false, taken_as));
  out.warnings.insert(out.warnings.begin(), warnings.begin(), warnings.end());
  return out;
}

Result<PlannedVersion> plan_version(Registry registry, const wire::VersionSpec& spec,
                                    const std::filesystem::path& folder, const OnProgress& progress, TakenAs taken_as) {
  PlannedVersion plan;
  TRY_DO(check_parents_of_new(registry.versions, spec.manifest));
  TRY(plan.manifest, describe(nullptr, spec, folder, progress, plan.warnings));
  plan.identity = sha256(wire::to_canonical_json(plan.manifest));
  plan.missing = registry::missing_parts(plan.manifest);
  const auto stored = registry.versions.version(plan.manifest.ref);
  if (!stored && stored.error().code != ErrorCode::kNotFound) return Unexpected(Error(stored.error()));
  plan.registered = stored && stored->identity == plan.identity;
  if (stored && !plan.registered) {
    TRY(const std::optional<RegisteredVersion> there, taken(registry, plan.manifest, taken_as));
    plan.registered = there.has_value();
    if (there) plan.warnings.insert(plan.warnings.end(), there->warnings.begin(), there->warnings.end());
  }
  if (auto number = check_version_number(registry.versions, plan.manifest); !number) {
    if (number.error().code != ErrorCode::kFailedPrecondition) return Unexpected(std::move(number).error());
    plan.refusal = std::move(number).error();
  } else if (stored && !plan.registered) {
    plan.refusal = with_differences({ErrorCode::kConflict,
                                     fmt::format("{} is registered already with other content (registered {}, now {}).",
                                                 plan.manifest.ref.str(), stored->identity.hex(), plan.identity.hex()),
                                     "A version is never overwritten: give the new content a new version number."},
                                    registry.versions, plan.manifest);
  }
  TRY(plan.advice, suggest_version(registry.versions, plan.manifest));
  return plan;
}

Result<RegisteredVersion> register_manifest(Registry registry, registry::Manifest manifest, const Actor& actor) {
  std::sort(manifest.artifacts.begin(), manifest.artifacts.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  TRY_DO(registry::validate(manifest));
  TRY_DO(check_parents_of_new(registry.versions, manifest));
  TRY(const std::unique_ptr<BlobHold> hold, registry.blobs.hold());
  for (const registry::BlobOfVersion& blob : registry::blobs_of(manifest)) {
    if (!blob.required) continue;
    TRY(const bool there, registry.blobs.contains(blob.sha256));
    if (!there)
      return Unexpected(ErrorCode::kFailedPrecondition,
                        fmt::format("The {} (sha256 {}) has not been uploaded.", blob.what, blob.sha256.hex()),
                        fmt::format("PUT it to /v1/blobs/{} first.", blob.sha256.hex()));
  }
  return store(registry, std::move(manifest), actor, true);
}

}  // namespace backstay::services
