#pragma once

#include <string>
#include <string_view>

#include "domain/scan/bytes.hpp"
#include "domain/scan/pickle.hpp"
#include "domain/scan/report.hpp"
#include "scan/scanner.hpp"
#include "scan/unpack.hpp"

/// What the scanners of the formats share (module internal).
namespace backstay::scan {

/// What is known of the bytes that are looked at.
struct Place {
  std::string path;                   ///< Of the artifact, with the members that led here.
  int depth = 0;                      ///< Containers around it.
  bool torch = false;                 ///< A member of a PyTorch archive.
  const HasFile* has_file = nullptr;  ///< What lies beside it: files of the version, or members of its archive.
  std::string name;                   ///< Its path among those.

  Place member(const std::string& member_name) const;  ///< Shown without what could draw on a terminal.
};

/// One artifact's scan: collects findings and keeps the account of what was unpacked.
class Visit {
 public:
  explicit Visit(const Limits& limits) : limits_(limits) {}

  /// Any bytes: tells what they are and looks into them.
  Result<void> look(const ByteSource& bytes, const Place& place);
  /// Compressed bytes; `consumed` (may be null) gets how many of them were used.
  Result<void> look_packed(Packing packing, const ByteSource& packed, const Place& place,
                           std::uint64_t* consumed = nullptr);
  /// Bytes that may be a pickle; `head` is how they begin.
  Result<void> look_pickle(const ByteSource& bytes, const Place& place, std::string_view head);
  void add(const Place& place, Verdict verdict, const char* kind, std::string why, std::uint64_t offset = 0,
           std::string import = {});

  const Limits& limits() const { return limits_; }
  Report take() { return std::move(report_); }

 private:
  Result<void> look_torch_legacy(const ByteSource& bytes, const Place& place);
  Result<bool> look_container(const ByteSource& bytes, const Place& place, std::string_view head);
  Result<void> look_documents(const ByteSource& bytes, const Place& place, std::string_view head);
  Result<bool> spool(Unpacker& unpacker, const ByteSource& packed, std::string_view head, const Place& place,
                     Spool& out);
  void add_pickle(const PickleResult& found, const Place& place);

  const Limits& limits_;
  Report report_;
  std::uint64_t unpacked_ = 0;
  std::uint64_t looked_at_ = 0;
};

/// Reads up to `count` bytes at `offset`.
Result<std::string> read_piece(const ByteSource& bytes, std::uint64_t offset, std::size_t count);
/// Little-endian numbers; the caller has checked the size.
std::uint64_t little(std::string_view bytes, std::size_t at, std::size_t width);
/// Why a name may not be unpacked where it says ("leaves its folder"); empty when it may.
std::string path_danger(std::string_view name);
/// "a/b" and "../c" give "a/c"; false when it leaves the root.
bool join_path(std::string_view folder, std::string_view relative, std::string& out);

// The formats. Each is called with bytes that begin as its format does.
Result<void> scan_zip(Visit& visit, const ByteSource& bytes, const Place& place);
/// Whether an archive ends near the end of the bytes, or right there.
Result<bool> has_zip_directory(const ByteSource& bytes, bool at_the_very_end);
Result<void> scan_tar(Visit& visit, const ByteSource& bytes, const Place& place);
Result<void> scan_npy(Visit& visit, const ByteSource& bytes, const Place& place);
bool npy_has_objects(std::string_view head);
/// Keras's classes in JSON, and in the JSON that HDF5 files hold, whatever surrounds it.
Result<void> scan_keras_text(Visit& visit, const ByteSource& bytes, const Place& place);
Result<void> scan_safetensors(Visit& visit, const ByteSource& bytes, const Place& place);
/// ONNX and TensorFlow, if that is what it is.
Result<void> scan_protobuf(Visit& visit, const ByteSource& bytes, const Place& place);

}  // namespace backstay::scan
