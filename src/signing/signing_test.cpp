#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/base64.hpp"
#include "base/temporary_folder.hpp"
#include "signing/certificate.hpp"
#include "signing/dsse.hpp"
#include "signing/key_file.hpp"
#include "signing/note.hpp"

namespace backstay::signing {
namespace {

namespace fs = std::filesystem;

constexpr KeyType kTypes[] = {KeyType::kEd25519, KeyType::kP256, KeyType::kP384, KeyType::kP521};

TEST(Keys, OfEveryKindSignAndVerifyAndComeBackFromTheirPem) {
  for (const KeyType type : kTypes) {
    const PrivateKey key = PrivateKey::generate(type).value();
    EXPECT_EQ(key.type(), type);
    EXPECT_EQ(key_type_from(to_string(type)).value(), type);
    const std::string signature = key.sign("message").value();
    const PublicKey of = PublicKey::from_pem(key.public_key().pem()).value();
    EXPECT_TRUE(of == key.public_key());
    EXPECT_TRUE(of.verify("message", signature));
    EXPECT_EQ(of.verify("messagf", signature).error().code, ErrorCode::kIntegrity);
    EXPECT_FALSE(of.verify("message", ""));
    EXPECT_FALSE(of.verify("message", signature.substr(1)));
    EXPECT_FALSE(PrivateKey::generate(type).value().public_key().verify("message", signature));
    const PrivateKey again = PrivateKey::from_pem(key.pem()).value();
    EXPECT_TRUE(of.verify("other", again.sign("other").value()));
  }
}

TEST(Keys, Ed25519VerifiesTheVectorOfRfc8032) {
  // Section 7.1, test 2: the message is the byte 0x72.
  const auto unhex = [](std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
  };
  const auto key =
      PublicKey::from_ed25519(unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")).value();
  const std::string signature = unhex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(key.verify("\x72", signature));
  EXPECT_FALSE(key.verify("\x73", signature));
}

TEST(Keys, RefusesTextsThatAreNoKeysOfOurs) {
  const PrivateKey key = PrivateKey::generate(KeyType::kP256).value();
  EXPECT_FALSE(PublicKey::from_pem(key.pem()));
  EXPECT_FALSE(PrivateKey::from_pem(key.public_key().pem()));
  EXPECT_FALSE(PublicKey::from_pem(""));
  EXPECT_FALSE(PublicKey::from_pem(std::string(100'000, 'x')));
  EXPECT_FALSE(PublicKey::from_ed25519("short"));
  EXPECT_FALSE(key_type_from("rsa"));
  // An encrypted key doesn't make the program ask a terminal for its passphrase.
  EXPECT_FALSE(
      PrivateKey::from_pem("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMFUwHAYKKoZIhvcNAQwBAzAOBAg=\n"
                           "-----END ENCRYPTED PRIVATE KEY-----\n"));
}

class KeyFiles : public ::testing::Test {
 protected:
  static mode_t mode(const fs::path& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  }
  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
};

TEST_F(KeyFiles, AreTheirOwnersOnlyAndNeverOverwritten) {
  const PrivateKey key = PrivateKey::generate(KeyType::kP384).value();
  ASSERT_TRUE(write_key_pair(folder / "k", key));
  EXPECT_EQ(mode(folder / "k"), 0600u);
  EXPECT_EQ(read_private_key(folder / "k")->pem(), key.pem());
  EXPECT_EQ(write_key_pair(folder / "k", key).error().code, ErrorCode::kConflict);
  std::ofstream(folder / "other.pub") << "somebody's";
  EXPECT_EQ(write_key_pair(folder / "other", key).error().code, ErrorCode::kConflict);
  EXPECT_FALSE(fs::exists(folder / "other"));
}

TEST_F(KeyFiles, ThatOthersMayReadAreRefused) {
  ASSERT_TRUE(write_key_pair(folder / "k", PrivateKey::generate(KeyType::kP256).value()));
  ASSERT_EQ(chmod((folder / "k").c_str(), 0640), 0);
  EXPECT_EQ(read_private_key(folder / "k").error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(read_private_key(folder / "none").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(read_private_key(folder));
}

TEST_F(KeyFiles, TheLogsKeyIsMadeOnceAndStays) {
  const auto first = read_or_make_key(folder / "keys" / "audit.pem").value();
  EXPECT_EQ(first.type(), KeyType::kEd25519);
  EXPECT_EQ(mode(folder / "keys"), 0700u);
  EXPECT_EQ(mode(folder / "keys" / "audit.pem"), 0600u);
  EXPECT_EQ(read_or_make_key(folder / "keys" / "audit.pem")->pem(), first.pem());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "keys"), {}), 1);
}

// From the documentation of Go's golang.org/x/mod/sumdb/note, whose format this is.
constexpr const char* kNeumann = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr const char* kNeumannsNote =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

TEST(Notes, OpensTheNoteOfGosDocumentation) {
  const NoteKey key = note_key_from(kNeumann).value();
  EXPECT_EQ(key.name, "PeterNeumann");
  EXPECT_EQ(to_text(key), kNeumann);
  const auto text = open_note(kNeumannsNote, key);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_TRUE(text->ends_with("what your problem is.\n"));
}

TEST(Notes, EveryChangedByteIsNoticed) {
  const NoteKey key = note_key_from(kNeumann).value();
  const std::string note = kNeumannsNote;
  for (std::size_t i = 0; i < note.size(); ++i) {
    for (const char change : {'\1', ' '}) {
      std::string changed = note;
      changed[i] = static_cast<char>(changed[i] ^ change);
      EXPECT_FALSE(open_note(changed, key)) << i;
    }
    EXPECT_FALSE(open_note(note.substr(0, i), key)) << i;
  }
}

TEST(Notes, AreSignedAndOpenedWithTheKeyOfThatNameOnly) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEd25519).value();
  const std::string note = sign_note("origin\n7\nroot\n", "log.example", key).value();
  EXPECT_EQ(open_note(note, {"log.example", key.public_key()}).value(), "origin\n7\nroot\n");
  EXPECT_EQ(open_note(note, {"other.example", key.public_key()}).error().code, ErrorCode::kIntegrity);
  const PrivateKey other = PrivateKey::generate(KeyType::kEd25519).value();
  EXPECT_EQ(open_note(note, {"log.example", other.public_key()}).error().code, ErrorCode::kIntegrity);
  // A witness's signature beside the log's is fine.
  const std::string witness = sign_note("origin\n7\nroot\n", "witness.example", other).value();
  const std::string both = note + witness.substr(witness.rfind("\u2014"));
  EXPECT_TRUE(open_note(both, {"log.example", key.public_key()}));
  EXPECT_TRUE(open_note(both, {"witness.example", other.public_key()}));
  EXPECT_FALSE(sign_note("no line end", "log.example", key));
  EXPECT_FALSE(sign_note("text\n", "a name", key));
  EXPECT_FALSE(sign_note("text\n", "name", PrivateKey::generate(KeyType::kP256).value()));
}

TEST(Notes, RefusesKeysThatAreNotWhatTheySay) {
  for (const std::string& text :
       {std::string("PeterNeumann"), std::string("PeterNeumann+c74f20a4") + (kNeumann + 21),
        std::string("Peter") + (kNeumann + 12), std::string(kNeumann) + "=", std::string("+")})
    EXPECT_FALSE(note_key_from(text)) << text;
}

TEST(Dsse, EncodesAsItsProtocolSays) {
  EXPECT_EQ(pre_authentication("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

}  // namespace
}  // namespace backstay::signing
