#include "services/void_exceptions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/accept_gate.hpp"
#include "services/evaluate_gate.hpp"
#include "storage/memory/memory_ledger.hpp"
#include "wire/manifest_json.hpp"

namespace backstay::services {
namespace {

using testing::HasSubstr;

constexpr milliseconds kDay{86'400'000};

class VoidExceptions : public testing::Test {
 protected:
  VoidExceptions() {
    registry::Manifest manifest;
    manifest.ref = ref_;
    manifest.code.commit = "c0ffee";
    manifest.data = {{"cells", "training", "", {{"a", sha256("a"), 1, ""}}}};
    manifest.config = {{"lr", "0.1"}};
    manifest.changelog = "First.";
    EXPECT_TRUE(ledger_.add_version({ref_, wire::to_canonical_json(manifest), true, "tests", {}},
                                    {"tests", "version.register", ref_.str(), "", "{}"}));
    StoredScan scan;
    scan.report.verdict = scan::Verdict::kSafe;
    EXPECT_TRUE(ledger_.add_scan(ref_, scan, {"tests", "version.scan", ref_.str(), "", "{}"}));
    judge("{}");
  }
  void judge(const std::string& evidence) {
    StoredVerdict verdict;
    verdict.gate = "production";
    verdict.gate_digest = sha256("gate");
    verdict.verdict = "FAIL";
    verdict.evidence = evidence;
    EXPECT_TRUE(ledger_.add_verdict(ref_, verdict, {"tests", "gate.verdict", ref_.str(), "", "{}"}));
  }
  GateException accept(const signing::PrivateKey& key, milliseconds valid = kDay) {
    return accept_gate(ledger_, ledger_, ref_, "production", "reviewed", valid, key, {"alice"}, now_).value();
  }
  std::string refusal(Timestamp now) {
    const TrustedExceptions trusted{&ledger_, {trusted_.public_key()}, now};
    const auto checked = check_releasable(ledger_, *ledger_.version(ref_), trusted);
    return checked ? "" : checked.error().message;
  }
  std::string void_at(const GateException& exception, Timestamp now) {
    return why_void(exception, *ledger_.version(ref_), *ledger_.verdicts(ref_), now);
  }

  const registry::VersionRef ref_ = *registry::VersionRef::parse("m@1.0.0");
  const Timestamp now_{seconds(1'800'000'000)};
  MemoryLedger ledger_;
  const signing::PrivateKey trusted_ = signing::PrivateKey::generate(signing::KeyType::kEd25519).value();
  const signing::PrivateKey other_ = signing::PrivateKey::generate(signing::KeyType::kEd25519).value();
};

TEST_F(VoidExceptions, ARefusalNamesTheExceptionThatExpired) {
  EXPECT_EQ(refusal(now_), "Gate 'production' says FAIL about m@1.0.0.");
  const GateException exception = accept(trusted_);
  EXPECT_EQ(refusal(now_), "");
  EXPECT_EQ(void_at(exception, now_), "");
  EXPECT_EQ(refusal(now_ + kDay), "Gate 'production' says FAIL about m@1.0.0. The exception of alice (key " +
                                      trusted_.public_key().id().substr(0, 16) + ") expired at " +
                                      to_rfc3339(now_ + kDay) + ".");
  EXPECT_THAT(void_at(exception, now_ + kDay), HasSubstr("expired at"));
}

TEST_F(VoidExceptions, ARefusalNamesTheExceptionThatIsAboutAnEarlierVerdict) {
  const GateException exception = accept(trusted_);
  judge(R"({"rows":[]})");
  EXPECT_THAT(refusal(now_), HasSubstr("is about an earlier verdict."));
  EXPECT_EQ(void_at(exception, now_), "is about an earlier verdict");
}

TEST_F(VoidExceptions, ARefusalNamesTheExceptionWhoseKeyIsNotTrusted) {
  const GateException exception = accept(other_);
  EXPECT_THAT(refusal(now_), HasSubstr("(key " + other_.public_key().id().substr(0, 16) +
                                       ") is signed with a key that is not trusted here."));
  EXPECT_EQ(void_at(exception, now_), "") << "another endpoint may trust it";
  accept(trusted_, milliseconds(1));
  accept(other_);
  EXPECT_THAT(refusal(now_ + kDay), HasSubstr("expired at")) << "the trusted one says more than a newer one";
}

}  // namespace
}  // namespace backstay::services
