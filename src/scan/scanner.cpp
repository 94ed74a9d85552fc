#include "scan/scanner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "domain/scan/pickle.hpp"
#include "scan/visit.hpp"

namespace backstay::scan {

using namespace std::string_view_literals;

namespace {

constexpr std::size_t kHeadBytes = 64 * 1024;

std::string lower_extension(const std::string& path) {
  const std::size_t slash = path.find_last_of("/!");
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) return "";
  std::string extension = path.substr(dot + 1);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool named_as_pickle(const std::string& path) {
  constexpr std::array kNames{"pkl", "pickle", "p", "pt", "pth", "ckpt", "joblib", "sav", "dill"};
  const std::string extension = lower_extension(path);
  return std::any_of(kNames.begin(), kNames.end(), [&](const char* name) { return extension == name; });
}

/// What can't be looked into here; null when `head` begins otherwise.
const char* unscannable(std::string_view head) {
  struct Magic {
    std::string_view bytes;
    const char* what;
  };
  static const Magic kMagics[] = {
      {"7z\xBC\xAF\x27\x1C"sv, "A 7z archive isn't looked into."},
      {"Rar!\x1A\x07"sv, "A RAR archive isn't looked into."},
      {"\x28\xB5\x2F\xFD"sv, "Data compressed with Zstandard isn't looked into."},
      {"\x04\x22\x4D\x18"sv, "Data compressed with LZ4 isn't looked into."},
      {"\x89LZO\x00\r\n\x1A\n"sv, "Data compressed with LZO isn't looked into."},
      {"\x1F\x9D"sv, "Data packed by compress isn't looked into."},
      {"\x1F\xA0"sv, "Data packed by compress isn't looked into."},
  };
  for (const Magic& magic : kMagics) {
    if (head.starts_with(magic.bytes)) return magic.what;
  }
  return nullptr;
}

bool packing_of(std::string_view head, Packing& out) {
  if (head.starts_with("\x1F\x8B\x08"sv)) {
    out = Packing::kGzip;
  } else if (head.starts_with("BZh"sv)) {
    out = Packing::kBzip2;
  } else if (head.starts_with("\xFD"
                              "7zXZ\x00"sv)) {
    out = Packing::kXz;
  } else if (head.starts_with("\x5D\x00\x00"sv) && head.size() > 13) {
    out = Packing::kLzmaAlone;
  } else if (head.size() > 2 && head[0] == 'x' && ((head[0] << 8) + static_cast<std::uint8_t>(head[1])) % 31 == 0) {
    out = Packing::kZlib;
  } else {
    return false;
  }
  return true;
}

/// Formats in which nothing can be run and that need not be unpacked to be sure of it.
bool is_inert(std::string_view head) {
  return head.starts_with("GGUF"sv) || (head.starts_with("\x93NUMPY"sv) && !npy_has_objects(head));
}

// torch.save() of old: the pickle of a number (LONG1, 10 bytes), of a protocol version, of facts of the system, of the
// object, and of the storages' keys; then the storages.
constexpr std::string_view kTorchMagic = "\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19"sv;
constexpr std::uint64_t kTorchPickles = 5;

bool is_torch_legacy(std::string_view head) {
  return head.size() > 16 && head[0] == '\x80' && head.substr(0, 32).find(kTorchMagic) != std::string_view::npos;
}

bool is_hdf5(std::string_view head) {
  constexpr std::string_view kMagic = "\x89HDF\r\n\x1A\n"sv;
  for (std::size_t at = 0; at < head.size(); at = at == 0 ? 512 : at * 2) {  // Behind a user block.
    if (head.substr(at).starts_with(kMagic)) return true;
  }
  return false;
}

bool is_json(std::string_view head) {
  const std::size_t at = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return at != std::string_view::npos && (head[at] == '{' || head[at] == '[');
}

bool is_safetensors(std::string_view head, std::uint64_t size) {
  return head.size() > 8 && head[8] == '{' && little(head, 0, 8) <= size - 8;
}

}  // namespace

Place Place::member(const std::string& member_name) const {
  constexpr std::size_t kLongestShown = 200;
  Place inner = *this;
  inner.path += '!';
  for (const char c : member_name.substr(0, kLongestShown))
    inner.path += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  inner.name = member_name;
  ++inner.depth;
  return inner;
}

Result<std::string> read_piece(const ByteSource& bytes, std::uint64_t offset, std::size_t count) {
  std::string out;
  if (offset >= bytes.size()) return out;
  out.resize(static_cast<std::size_t>(std::min<std::uint64_t>(count, bytes.size() - offset)));
  TRY(const std::size_t got, bytes.read_at(offset, std::as_writable_bytes(std::span(out))));
  out.resize(got);
  return out;
}

std::uint64_t little(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[at + i])) << (8 * i);
  return value;
}

std::string path_danger(std::string_view name) {
  if (name.empty()) return "has no name";
  if (name.find('\0') != std::string_view::npos) return "has a NUL in its name";
  if (name[0] == '/' || name[0] == '\\') return "is an absolute path";
  if (name.size() > 1 && name[1] == ':') return "names a drive";
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find_first_of("/\\", at), name.size());
    if (name.substr(at, end - at) == "..") return "leaves its folder";
    at = end + 1;
  }
  return "";
}

bool join_path(std::string_view folder, std::string_view relative, std::string& out) {
  std::vector<std::string_view> parts;
  for (std::string_view path : {folder, relative}) {
    while (!path.empty()) {
      const std::size_t end = std::min(path.find('/'), path.size());
      const std::string_view part = path.substr(0, end);
      path.remove_prefix(std::min(end + 1, path.size()));
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.push_back(part);
      } else if (parts.empty()) {
        return false;
      } else {
        parts.pop_back();
      }
    }
  }
  out = fmt::format("{}", fmt::join(parts, "/"));
  return true;
}

void Visit::add(const Place& place, Verdict verdict, const char* kind, std::string why, std::uint64_t offset,
                std::string import) {
  report_.verdict = std::max(report_.verdict, verdict);
  if (report_.findings.size() >= limits_.findings) {
    // The worst are what matters: they take the place of what was harmless.
    const auto weakest = std::min_element(report_.findings.begin(), report_.findings.end(),
                                          [](const Finding& a, const Finding& b) { return a.verdict < b.verdict; });
    if (weakest == report_.findings.end() || weakest->verdict >= verdict) return;
    report_.findings.erase(weakest);
  }
  report_.findings.push_back({verdict, kind, place.path, std::move(import), std::move(why), offset});
}

void Visit::add_pickle(const PickleResult& found, const Place& place) {
  for (const Finding& finding : found.findings) {
    const auto same = [&](const Finding& known) { return known.path == place.path && known == finding; };
    if (std::any_of(report_.findings.begin(), report_.findings.end(), same)) continue;
    add(place, finding.verdict, finding.kind.c_str(), finding.why, finding.offset, finding.import);
  }
}

Result<void> Visit::look_torch_legacy(const ByteSource& bytes, const Place& place) {
  PickleOptions options;
  options.path = place.path;
  options.torch = true;
  options.pickles = kTorchPickles;
  options.limits = limits_;
  TRY(const PickleResult found, scan_pickle(bytes, 0, options));
  add_pickle(found, place);
  return {};
}

Result<void> Visit::look_pickle(const ByteSource& bytes, const Place& place, std::string_view head) {
  if (is_torch_legacy(head)) return look_torch_legacy(bytes, place);
  const bool marked = head.size() > 2 && head[0] == '\x80' && static_cast<std::uint8_t>(head[1]) <= 5;
  PickleOptions options;
  options.path = place.path;
  options.torch = place.torch;
  options.limits = limits_;
  const bool named = named_as_pickle(place.path);
  // Numbers may begin like a pickle: then there is none if it breaks before it imports anything.
  options.certain = marked;
  TRY(const PickleResult found, scan_pickle(bytes, 0, options));
  const bool empty = found.pickles == 0 && std::all_of(found.findings.begin(), found.findings.end(),
                                                       [](const auto& f) { return f.kind == "broken"; });
  if (!found.is_pickle || (empty && !named)) {
    Packing packed{};
    if (named && !packing_of(head, packed) && !is_hdf5(head) && !is_json(head))
      add(place, Verdict::kSuspicious, "broken", "It is named like a pickle and is none; what reads it isn't known.");
    return {};
  }
  add_pickle(found, place);
  if (!found.arrays) return {};
  options.joblib = true;
  TRY(const PickleResult with_arrays, scan_pickle(bytes, 0, options));
  // joblib.load() doesn't see the arrays as code: what breaks on them was no break.
  const bool whole = with_arrays.pickles > 0 && std::none_of(with_arrays.findings.begin(), with_arrays.findings.end(),
                                                             [](const auto& f) { return f.kind == "broken"; });
  if (whole) {
    // To a file that says it is joblib's, what arrays look like as code matters only where that would be dangerous.
    const bool is_joblib = place.path.find(".joblib") != std::string::npos;
    std::erase_if(report_.findings, [&](const Finding& f) {
      const bool walked = f.kind == "import" || f.kind == "call" || f.kind == "broken";
      return f.path == place.path && walked && f.verdict != Verdict::kDangerous && (is_joblib || f.kind == "broken");
    });
    report_.verdict = Verdict::kSafe;
    for (const Finding& finding : report_.findings) report_.verdict = std::max(report_.verdict, finding.verdict);
  }
  add_pickle(with_arrays, place);
  return {};
}

Result<bool> Visit::look_container(const ByteSource& bytes, const Place& place, std::string_view head) {
  if (const char* what = unscannable(head)) {
    add(place, Verdict::kSuspicious, "unscannable", what);
    return true;
  }
  Packing packing{};
  if (packing_of(head, packing)) {
    TRY_DO(look_packed(packing, bytes, place.member("unpacked")));
    return true;
  }
  // joblib's format of 2010: "ZF", the unpacked size as 19 characters, zlib.
  constexpr std::uint64_t kOldJoblibHeader = 21;
  if (head.starts_with("ZF0x"sv)) {
    const SliceSource body(bytes, kOldJoblibHeader, bytes.size());
    TRY_DO(look_packed(Packing::kZlib, body, place.member("unpacked")));
    return true;
  }
  if (head.starts_with("\x93NUMPY"sv)) {
    TRY_DO(scan_npy(*this, bytes, place));
    return true;
  }
  const bool tar = head.size() > 262 && head.substr(257, 5) == "ustar";
  if (tar) TRY_DO(scan_tar(*this, bytes, place));
  TRY(const bool zip, has_zip_directory(bytes, tar));  // A tar's last member may be one.
  if (zip || head.starts_with("PK\x03\x04"sv)) {
    if (!head.starts_with("PK"sv))
      add(place, Verdict::kSuspicious, "archive", "A zip archive is hidden behind other content.");
    TRY_DO(scan_zip(*this, bytes, place));
    return head.starts_with("PK"sv);
  }
  return false;
}

Result<void> Visit::look_documents(const ByteSource& bytes, const Place& place, std::string_view head) {
  if (is_hdf5(head) || is_json(head)) TRY_DO(scan_keras_text(*this, bytes, place));
  if (is_safetensors(head, bytes.size()) || lower_extension(place.path) == "safetensors")
    return scan_safetensors(*this, bytes, place);
  return scan_protobuf(*this, bytes, place);
}

Result<void> Visit::look(const ByteSource& bytes, const Place& place) {
  if (place.depth > limits_.depth) {
    add(place, Verdict::kDangerous, "bomb", "Containers lie in containers deeper than is followed.");
    return {};
  }
  if (++looked_at_ > limits_.entries) {
    if (looked_at_ == limits_.entries + 1)
      add(place, Verdict::kDangerous, "limit", "There are more members than are looked at.");
    return {};
  }
  TRY(const std::string head, read_piece(bytes, 0, kHeadBytes));
  if (head.empty()) return {};
  TRY(const bool whole, look_container(bytes, place, head));
  if (whole) return {};
  TRY_DO(look_pickle(bytes, place, head));
  return look_documents(bytes, place, head);
}

Result<bool> Visit::spool(Unpacker& unpacker, const ByteSource& packed, std::string_view head, const Place& place,
                          Spool& out) {
  TRY_DO(out.append(std::as_bytes(std::span(head))));
  std::vector<std::byte> piece(256 * 1024);
  while (true) {
    TRY(const std::size_t got, unpacker.read(piece));
    if (got == 0) return true;
    unpacked_ += got;
    const bool steep = out.size() > limits_.ratio_after && out.size() / limits_.ratio > packed.size();
    if (steep || unpacked_ > limits_.unpacked) {
      add(place, Verdict::kDangerous, "bomb",
          fmt::format("It unpacks to more than {} bytes from {}: the rest wasn't looked at.", out.size(),
                      packed.size()));
      return false;
    }
    TRY_DO(out.append(std::span(piece).first(got)));
  }
}

Result<void> Visit::look_packed(Packing packing, const ByteSource& packed, const Place& place,
                                std::uint64_t* consumed) {
  const std::unique_ptr<Unpacker> unpacker = Unpacker::open(packing, packed);
  std::string head(kHeadBytes, '\0');
  TRY(const std::size_t got, unpacker->read(std::as_writable_bytes(std::span(head))));
  head.resize(got);
  unpacked_ += got;
  const bool all = got < kHeadBytes;
  if (all) {
    TRY_DO(look(MemorySource(head), place));
  } else if (!is_inert(head)) {
    Spool unpacked;
    TRY_DO(spool(*unpacker, packed, head, place, unpacked));
    TRY_DO(look(unpacked, place));
  }
  if (unpacker->damaged())
    add(place, Verdict::kSuspicious, "broken", "Its compressed data is damaged, or other bytes follow it.");
  if (consumed != nullptr) *consumed = unpacker->consumed();
  return {};
}

Result<Report> scan_artifact(const ByteSource& bytes, const std::string& path, const HasFile& has_file,
                             const Limits& limits) {
  Visit visit(limits);
  Place place;
  place.path = path;
  place.name = path;
  place.has_file = &has_file;
  TRY_DO(visit.look(bytes, place));
  return visit.take();
}

}  // namespace backstay::scan
