#include "signing/note.hpp"

#include <fmt/format.h>

#include "base/base64.hpp"
#include "base/digest.hpp"

namespace backstay::signing {

namespace {

constexpr std::size_t kMaxBytes = 1024 * 1024;
constexpr int kMaxSignatures = 16;
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014
constexpr std::string_view kEd25519 = "\x01";        // The algorithm's number in key ids and key texts.
constexpr std::size_t kIdBytes = 4;
constexpr std::size_t kSignatureBytes = 64;

Unexpected malformed(const char* why) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The text is not a signed note: {}.", why),
                    "Give the checkpoint or proof as it was written, without changes.");
}

std::string key_id(const std::string& name, const PublicKey& key) {
  const Digest digest = sha256({name, "\n", kEd25519, key.ed25519()});
  return {digest.bytes.begin(), digest.bytes.begin() + kIdBytes};
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

Result<void> check_name(std::string_view name) {
  bool good = !name.empty() && name.size() <= 255;
  for (const char c : name) good = good && c > ' ' && c < 0x7f && c != '+';
  if (good) return {};
  return Unexpected(ErrorCode::kInvalidArgument, "The name of a note's key is not usable.",
                    "It is ASCII without spaces and pluses.");
}

Result<void> check_text(std::string_view text) {
  if (text.size() > kMaxBytes) return malformed("it is larger than 1 MiB");
  if (text.empty() || text.back() != '\n' || text == "\n") return malformed("it has no text that ends with a line end");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') return malformed("it has control characters");
  }
  return {};
}

}  // namespace

std::string to_text(const NoteKey& key) {
  return fmt::format("{}+{}+{}", key.name, hex(key_id(key.name, key.key)),
                     to_base64(std::string(kEd25519) + key.key.ed25519()));
}

Result<NoteKey> note_key_from(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const Unexpected wrong(ErrorCode::kInvalidArgument, "The text is not the public key of an audit log.",
                         "Give what `backstay audit key` prints: NAME+ID+KEY, or the same key in PEM form.");
  const std::size_t first = text.find('+');
  const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos || !check_name(text.substr(0, first))) return wrong;
  const auto bytes = from_base64(text.substr(second + 1));
  if (!bytes || !bytes->starts_with(kEd25519)) return wrong;
  TRY(PublicKey key, PublicKey::from_ed25519(std::string_view(*bytes).substr(1)));
  NoteKey found{std::string(text.substr(0, first)), std::move(key)};
  if (to_text(found) != text) return wrong;
  return found;
}

Result<std::string> sign_note(std::string_view text, const std::string& name, const PrivateKey& key) {
  TRY_DO(check_name(name));
  TRY_DO(check_text(text));
  if (key.type() != KeyType::kEd25519)
    return Unexpected(ErrorCode::kInvalidArgument, "A note is signed with an Ed25519 key.", "Make one of that kind.");
  TRY(const std::string signature, key.sign(text));
  return fmt::format("{}\n{}{} {}\n", text, kDash, name, to_base64(key_id(name, key.public_key()) + signature));
}

Result<std::string> open_note(std::string_view note, const NoteKey& key) {
  TRY_DO(check_text(note));
  const std::size_t end = note.rfind("\n\n");
  if (end == std::string_view::npos) return malformed("it has no signatures");
  const std::string_view text = note.substr(0, end + 1);
  TRY_DO(check_text(text));
  std::string_view rest = note.substr(end + 2);
  if (rest.empty()) return malformed("it has no signatures");

  const std::string id = key_id(key.name, key.key);
  bool signed_by_key = false;
  for (int count = 0; !rest.empty(); ++count) {
    const std::size_t line_end = rest.find('\n');
    const std::string_view line = rest.substr(0, line_end);
    rest.remove_prefix(line_end + 1);  // check_text: the last byte is a line end.
    const std::size_t space = line.find(' ', kDash.size());
    if (count == kMaxSignatures || !line.starts_with(kDash) || space == std::string_view::npos)
      return malformed("a signature line is not \"\u2014 NAME SIGNATURE\"");
    const std::string_view name = line.substr(kDash.size(), space - kDash.size());
    const auto bytes = from_base64(line.substr(space + 1));
    if (!check_name(name) || !bytes || bytes->size() <= kIdBytes) return malformed("a signature is not base64");
    if (name != key.name || !bytes->starts_with(id)) continue;
    if (bytes->size() != kIdBytes + kSignatureBytes) return malformed("the signature has not 64 bytes");
    TRY_DO(key.key.verify(text, std::string_view(*bytes).substr(kIdBytes)));
    signed_by_key = true;
  }
  if (!signed_by_key)
    return Unexpected(ErrorCode::kIntegrity, fmt::format("The note has no signature of {}.", to_text(key)),
                      "Check that it is the log's public key, and the log's note.");
  return std::string(text);
}

}  // namespace backstay::signing
