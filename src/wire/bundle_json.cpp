#include "wire/bundle_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "wire/strict_json.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr const char* kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::size_t kMaxCertificates = 100;

Unexpected malformed(const std::string& name, const std::string& why) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{}: {}.", name, why),
                    "Give the signature file as it was written, without changes.");
}

/// The text at a member of an object; nullptr when there is none.
const std::string* text_at(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

const json& at(const json& object, const char* key) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

json envelope_json(const Envelope& envelope) {
  return {{"payload", to_base64(envelope.payload)},
          {"payloadType", envelope.payload_type},
          {"signatures", json::array({json{{"sig", to_base64(envelope.signature)}, {"keyid", envelope.key_id}}})}};
}

Result<Envelope> envelope_from(const std::string& name, const json& object) {
  const std::string* payload = text_at(object, "payload");
  const std::string* type = text_at(object, "payloadType");
  const json& signatures = at(object, "signatures");
  if (payload == nullptr || type == nullptr || !signatures.is_array())
    return malformed(name, "it is not a DSSE envelope with payload, payloadType and signatures");
  if (signatures.size() != 1)
    return malformed(name, fmt::format("it has {} signatures instead of 1", signatures.size()));
  const std::string* signature = text_at(signatures[0], "sig");
  if (signature == nullptr) return malformed(name, "its signature is missing");
  auto payload_bytes = from_base64(*payload);
  auto signature_bytes = from_base64(*signature);
  if (!payload_bytes || !signature_bytes) return malformed(name, "its payload or signature is not base64");
  const std::string* key_id = text_at(signatures[0], "keyid");
  return Envelope{*std::move(payload_bytes), *type, *std::move(signature_bytes), key_id == nullptr ? "" : *key_id};
}

Result<std::vector<std::string>> certificates_from(const std::string& name, const json& material) {
  json list = at(at(material, "x509CertificateChain"), "certificates");
  if (list.is_null() && at(material, "certificate").is_object()) list = json::array({at(material, "certificate")});
  std::vector<std::string> found;
  if (list.is_null()) return found;
  if (!list.is_array() || list.empty() || list.size() > kMaxCertificates)
    return malformed(name, "its certificate chain has none or more than 100");
  for (const json& item : list) {
    const std::string* text = text_at(item, "rawBytes");
    auto der = text == nullptr ? Result<std::string>(std::string()) : from_base64(*text);
    if (!der || der->empty()) return malformed(name, "a certificate is not base64");
    found.push_back(*std::move(der));
  }
  return found;
}

}  // namespace

std::string to_json(const Envelope& envelope) {
  return envelope_json(envelope).dump();
}

Result<Envelope> envelope_from_json(const std::string& name, std::string_view text) {
  TRY(const json root, parse_strict_json(name, text));
  return envelope_from(name, root);
}

std::string to_json(const Bundle& bundle) {
  json material = {{"tlogEntries", json::array()}};
  if (bundle.certificates.empty()) {
    material["publicKey"] = {{"hint", bundle.key_hint}};
  } else {
    json list = json::array();
    for (const std::string& der : bundle.certificates) list.push_back({{"rawBytes", to_base64(der)}});
    material["x509CertificateChain"] = {{"certificates", std::move(list)}};
  }
  return json{{"mediaType", kMediaType},
              {"verificationMaterial", std::move(material)},
              {"dsseEnvelope", envelope_json(bundle.envelope)}}
      .dump();
}

Result<Bundle> bundle_from_json(const std::string& name, std::string_view text) {
  TRY(const json root, parse_strict_json(name, text));
  const std::string* media_type = text_at(root, "mediaType");
  if (media_type == nullptr || *media_type != kMediaType)
    return malformed(name, "it is not a Sigstore bundle of version 0.3");
  Bundle bundle;
  TRY(bundle.envelope, envelope_from(name, at(root, "dsseEnvelope")));
  const json& material = at(root, "verificationMaterial");
  TRY(bundle.certificates, certificates_from(name, material));
  if (const std::string* hint = text_at(at(material, "publicKey"), "hint")) bundle.key_hint = *hint;
  if (bundle.certificates.empty() == bundle.key_hint.empty())
    return malformed(name, "it names neither a public key nor certificates, or both");
  return bundle;
}

}  // namespace backstay::wire
