#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "signing/key.hpp"

/// Signed notes of C2SP (https://c2sp.org/signed-note): a text, an empty line, and lines "— NAME base64(id ||
/// signature)" with Ed25519 signatures over the text. Checkpoints of the audit log are such notes.
namespace backstay::signing {

/// Who may have signed a note: a name without spaces and pluses, and an Ed25519 key.
struct NoteKey {
  std::string name;
  PublicKey key;
};

/// The key's text form, "NAME+<id in hex>+base64(01 || key)".
std::string to_text(const NoteKey& key);
Result<NoteKey> note_key_from(std::string_view text);

/// `text` ends with a line end and has no empty line at its end.
Result<std::string> sign_note(std::string_view text, const std::string& name, const PrivateKey& key);

/// The text of a note that `key` signed. Signatures of other keys are ignored. kIntegrity when there is none of this
/// key's, or it doesn't verify.
Result<std::string> open_note(std::string_view note, const NoteKey& key);

}  // namespace backstay::signing
