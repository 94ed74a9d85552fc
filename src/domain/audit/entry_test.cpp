#include "domain/audit/entry.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace backstay::audit {
namespace {

std::vector<Entry> chain(int size) {
  std::vector<Entry> entries;
  for (int i = 0; i < size; ++i) {
    const Entry* last = entries.empty() ? nullptr : &entries.back();
    entries.push_back(
        link(last, Timestamp(seconds(i)), {"alice", "version.register", "m@1.0.0", "why " + std::to_string(i), "{}"}));
  }
  return entries;
}

TEST(AuditChain, VerifiesWhatWasLinked) {
  EXPECT_TRUE(verify(chain(5)));
  EXPECT_TRUE(verify({}));
  const auto entries = chain(5);
  EXPECT_TRUE(verify({entries[3], entries[4]}, &entries[2]));
}

TEST(AuditChain, FindsEveryKindOfChange) {
  const std::vector<std::pair<const char*, std::function<void(std::vector<Entry>&)>>> changes = {
      {"actor", [](auto& e) { e[2].draft.actor = "mallory"; }},
      {"action", [](auto& e) { e[2].draft.action += "x"; }},
      {"subject", [](auto& e) { e[2].draft.subject = "m@2.0.0"; }},
      {"reason", [](auto& e) { e[2].draft.reason.clear(); }},
      {"evidence", [](auto& e) { e[2].draft.evidence = "[]"; }},
      {"time", [](auto& e) { e[2].at += microseconds(1); }},
      {"removed", [](auto& e) { e.erase(e.begin() + 2); }},
      {"first removed", [](auto& e) { e.erase(e.begin()); }},
      {"swapped", [](auto& e) { std::swap(e[1], e[2]); }},
      {"field boundary moved", [](auto& e) { e[2].draft.actor = "alic", e[2].draft.action = "eversion.register"; }},
      {"relinked alone",
       [](auto& e) {
         e[2] = link(&e[1], e[2].at, {"mallory", "", "", "", ""});
       }},
  };
  for (const auto& [name, change] : changes) {
    auto entries = chain(5);
    change(entries);
    const auto result = verify(entries);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, ErrorCode::kIntegrity);
  }
}

TEST(AuditChain, TheHashIsWhatItWasInTheFirstRelease) {
  // Existing registries hold these: the bytes that are hashed must never change.
  const auto entries = chain(2);
  EXPECT_EQ(entries[0].hash.hex(), "23fa8d96d4b97ff252a9b1079e1387b92a32cb39769e405d92fb670f629c547f");
  EXPECT_EQ(entries[1].hash.hex(), "2f20b7aa8999c15cacf2d7858aa217fb10c5361abdd5c9bb407b413c9c41dad0");
}

TEST(AuditLeaf, SaysEverythingButTheEvidenceItself) {
  Entry entry = chain(3)[2];
  entry.draft.reason = "two\nlines: 12:x";
  const auto leaf = parse_leaf(leaf_bytes(entry));
  ASSERT_TRUE(leaf);
  EXPECT_EQ(leaf->sequence, 3u);
  EXPECT_EQ(leaf->at, entry.at);
  EXPECT_EQ(leaf->actor, "alice");
  EXPECT_EQ(leaf->action, "version.register");
  EXPECT_EQ(leaf->subject, "m@1.0.0");
  EXPECT_EQ(leaf->reason, entry.draft.reason);
  EXPECT_EQ(leaf->evidence_sha256, sha256("{}"));
}

TEST(AuditLeaf, HasTheBytesThatProofsWereMadeOf) {
  EXPECT_EQ(leaf_bytes(chain(1)[0]),
            "backstay-audit-leaf-1\n1:1\n27:1970-01-01T00:00:00.000000Z\n5:alice\n16:version.register\n7:m@1.0.0\n"
            "5:why 0\n64:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n");
}

TEST(AuditLeaf, RefusesWhatItWouldNotHaveWritten) {
  const std::string good = leaf_bytes(chain(1)[0]);
  ASSERT_TRUE(parse_leaf(good));
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(parse_leaf(good.substr(0, i))) << i;
    EXPECT_FALSE(parse_leaf(good.substr(0, i) + good.substr(i + 1))) << i;
  }
  EXPECT_FALSE(parse_leaf(good + "\n"));
  EXPECT_FALSE(parse_leaf(good + "0:\n"));
  std::string padded = good;
  padded.replace(padded.find("5:alice"), 1, "05");
  EXPECT_FALSE(parse_leaf(padded));
  padded = good;
  padded.replace(padded.find("5:alice"), 1, "18446744073709551615");
  EXPECT_FALSE(parse_leaf(padded));
}

}  // namespace
}  // namespace backstay::audit
