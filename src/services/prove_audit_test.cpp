#include "services/prove_audit.hpp"

#include <gtest/gtest.h>

#include "storage/memory/memory_ledger.hpp"

namespace backstay::services {
namespace {

class ProveAudit : public ::testing::Test {
 protected:
  void grow(std::uint64_t size) {
    while (log.size().value() < size)
      ASSERT_TRUE(log.append({"alice", "note", "m@1.0.0", "why " + std::to_string(log.size().value()), "{}"}));
  }
  LogKey key() const { return LogKey(signer.verifier()); }

  MemoryLedger log;
  LogSigner signer{signing::PrivateKey::generate(signing::KeyType::kEd25519).value()};
};

TEST_F(ProveAudit, AnEntryIsShownToSomeoneWhoHasOnlyThePublicKey) {
  grow(21);
  const std::string file = prove_entry(log, signer, 7, std::nullopt).value();
  for (const std::string& text : {signing::to_text(signer.verifier()) + "\n", signer.key.public_key().pem()}) {
    const auto checked = check_evidence(file, LogKey::from_text(text).value());
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_EQ(checked->entry->sequence, 7u);
    EXPECT_EQ(checked->entry->reason, "why 6");
    EXPECT_EQ(checked->checkpoint.tree.size, 21u);
  }
}

TEST_F(ProveAudit, EveryChangedByteOfAProofIsNoticed) {
  grow(5);
  for (const std::string& file : {prove_entry(log, signer, 3, std::nullopt).value(),
                                  prove_extension(log, signer, signed_checkpoint(log, signer).value()).value(),
                                  signed_checkpoint(log, signer).value()}) {
    ASSERT_TRUE(check_evidence(file, key()));
    for (std::size_t i = 0; i < file.size(); ++i) {
      std::string changed = file;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      EXPECT_FALSE(check_evidence(changed, key())) << file << i;
      EXPECT_FALSE(check_evidence(file.substr(0, i), key())) << file << i;
    }
  }
}

TEST_F(ProveAudit, AnEntryIsShownInAnEarlierCheckpoint) {
  grow(10);
  const std::string earlier = signed_checkpoint(log, signer).value();
  grow(30);
  const auto checked = check_evidence(prove_entry(log, signer, 10, earlier).value(), key());
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->checkpoint.tree.size, 10u);
  EXPECT_EQ(prove_entry(log, signer, 11, earlier).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(prove_entry(log, signer, 31, std::nullopt).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(prove_entry(log, signer, 0, std::nullopt).error().code, ErrorCode::kNotFound);
}

TEST_F(ProveAudit, ALogIsShownToExtendItsCheckpoints) {
  const std::string empty = signed_checkpoint(log, signer).value();
  grow(13);
  const std::string older = signed_checkpoint(log, signer).value();
  grow(40);
  for (const std::string& from : {empty, older, signed_checkpoint(log, signer).value()}) {
    const auto checked = check_evidence(prove_extension(log, signer, from).value(), key());
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_EQ(checked->checkpoint.tree.size, 40u);
  }
  EXPECT_TRUE(verify_log(log, key().open(older).value()));
  EXPECT_TRUE(verify_log(log, key().open(empty).value()));
}

TEST_F(ProveAudit, ALogThatWasCutOrRewrittenDoesNotExtendItsCheckpoint) {
  grow(13);
  const std::string note = signed_checkpoint(log, signer).value();
  const auto checkpoint = key().open(note).value();
  MemoryLedger cut;
  ASSERT_TRUE(cut.append({"alice", "note", "m@1.0.0", "why 0", "{}"}));
  EXPECT_EQ(verify_log(cut, checkpoint).error().code, ErrorCode::kIntegrity);
  EXPECT_EQ(prove_extension(cut, signer, note).error().code, ErrorCode::kIntegrity);
  MemoryLedger rewritten;
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(rewritten.append({i == 4 ? "mallory" : "alice", "note", "m@1.0.0", "why", "{}"}));
  EXPECT_TRUE(verify_log(rewritten, std::nullopt));
  EXPECT_EQ(verify_log(rewritten, checkpoint).error().code, ErrorCode::kIntegrity);
  EXPECT_EQ(prove_extension(rewritten, signer, note).error().code, ErrorCode::kIntegrity);
  EXPECT_EQ(prove_entry(rewritten, signer, 2, note).error().code, ErrorCode::kIntegrity);
}

TEST_F(ProveAudit, AnotherLogsKeyOpensNothing) {
  grow(3);
  const LogSigner other{signing::PrivateKey::generate(signing::KeyType::kEd25519).value()};
  const std::string file = prove_entry(log, signer, 2, std::nullopt).value();
  EXPECT_EQ(check_evidence(file, LogKey(other.verifier())).error().code, ErrorCode::kIntegrity);
  EXPECT_EQ(check_evidence(file, LogKey::from_text(other.key.public_key().pem()).value()).error().code,
            ErrorCode::kIntegrity);
  EXPECT_FALSE(LogKey::from_text(signing::PrivateKey::generate(signing::KeyType::kP256)->public_key().pem()));
}

TEST_F(ProveAudit, AnEmptyLogVerifies) {
  EXPECT_EQ(verify_log(log, std::nullopt)->root, audit::empty_root());
}

}  // namespace
}  // namespace backstay::services
