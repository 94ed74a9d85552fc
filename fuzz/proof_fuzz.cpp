#include <string>
#include <string_view>

#include "domain/audit/checkpoint.hpp"
#include "domain/audit/entry.hpp"
#include "fuzz/check.hpp"
#include "signing/certificate.hpp"
#include "signing/note.hpp"
#include "wire/attestation_json.hpp"
#include "wire/bundle_json.hpp"
#include "wire/exception_json.hpp"
#include "wire/model_signature.hpp"

using namespace backstay;

namespace {

/// Proofs of the audit log, their checkpoints and keys: texts that are read back as they were or refused.
void read_proofs(std::string_view text) {
  if (const auto leaf = audit::parse_leaf(text)) {
    audit::Entry entry;
    entry.sequence = leaf->sequence;
    entry.at = leaf->at;
    entry.draft = {leaf->actor, leaf->action, leaf->subject, leaf->reason, ""};
    // All but the evidence's digest, which stands at the end.
    const std::string again = audit::leaf_bytes(entry);
    CHECK(again.substr(0, again.size() - 65) == text.substr(0, text.size() - 65));
  }
  if (const auto evidence = audit::parse_inclusion_evidence(text)) CHECK(audit::to_text(*evidence) == text);
  if (const auto evidence = audit::parse_consistency_evidence(text)) CHECK(audit::to_text(*evidence) == text);
  if (const auto checkpoint = audit::parse_checkpoint(text)) CHECK(text.starts_with(audit::to_text(*checkpoint)));
  static const signing::PrivateKey kKey = signing::PrivateKey::generate(signing::KeyType::kEd25519).value();
  const signing::NoteKey log{"log.example", kKey.public_key()};
  // Nobody but the key's owner makes a note that opens.
  CHECK(!signing::open_note(text, log));
  if (const auto note = signing::sign_note(text, log.name, kKey)) {
    const auto opened = signing::open_note(*note, log);
    CHECK(opened && *opened == text);
  }
  if (const auto key = signing::note_key_from(text)) CHECK(text.starts_with(signing::to_text(*key)));
}

/// Signatures and attestations that strangers hand over.
void read_signatures(std::string_view text) {
  if (const auto bundle = wire::bundle_from_json("f", text)) {
    const auto again = wire::bundle_from_json("again", wire::to_json(*bundle));
    CHECK(again && again->envelope.payload == bundle->envelope.payload && again->certificates == bundle->certificates);
    std::vector<signing::Certificate> chain;
    for (const std::string& der : bundle->certificates) {
      if (auto certificate = signing::Certificate::from_der(der)) chain.push_back(*std::move(certificate));
    }
    // Nobody is trusted.
    CHECK(!signing::verify_chain(chain, {}));
    static_cast<void>(wire::model_statement_from_json("payload", bundle->envelope.payload));
  }
  static_cast<void>(wire::envelope_from_json("f", text));
  if (const auto statement = wire::model_statement_from_json("f", text)) {
    const auto again = wire::model_statement_from_json("again", wire::to_json(*statement));
    CHECK(again && *again == *statement);
  }
  static_cast<void>(wire::statement_head_from_json("f", text));
  static_cast<void>(wire::scorecards_from_statement("f", text));
  if (const auto exception = wire::gate_exception_from_json("f", text)) {
    const auto again = wire::gate_exception_from_json("again", wire::to_json(*exception));
    CHECK(again && *again == *exception);
  }
  if (const auto exception = wire::scan_exception_from_json("f", text)) {
    const auto again = wire::scan_exception_from_json("again", wire::to_json(*exception));
    CHECK(again && *again == *exception);
  }
  // OpenSSL's readers look through every kind of key there is, a millisecond each time.
  if (!text.starts_with("-----BEGIN")) return;
  static_cast<void>(signing::PublicKey::from_pem(text));
  static_cast<void>(signing::PrivateKey::from_pem(text));
  if (const auto certificates = signing::Certificate::all_from_pem(text)) {
    for (const signing::Certificate& certificate : *certificates) {
      static_cast<void>(certificate.subject());
      static_cast<void>(certificate.public_key());
      CHECK(signing::Certificate::from_der(certificate.der()));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_proofs(text);
  read_signatures(text);
  return 0;
}
