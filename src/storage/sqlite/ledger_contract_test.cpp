#include <gtest/gtest.h>

#include <map>

#include "storage/sqlite/contract_stores_test.hpp"
#include "wire/manifest_json.hpp"

// What every store of versions, rollouts and audit entries promises (ports/ledger.hpp).
namespace backstay {
namespace {

template <class Store>
class LedgerContract : public ::testing::Test {
 protected:
  registry::VersionRef ref(const char* text) { return registry::VersionRef::parse(text).value(); }
  Result<VersionStore::Registered> add(const char* version, const std::string& manifest = "{}") {
    return ledger.add_version({ref(version), manifest, true, "alice"},
                              {"alice", "version.register", version, "why", "{}"});
  }
  rollout::State fresh(const std::string& id) {
    rollout::State state;
    state.id = id;
    state.endpoint = "diagnosis";
    state.stable = "1.0.0";
    state.candidate = "1.1.0";
    state.plan = rollout::default_plan();
    return state;
  }
  rollout::Transition start(const std::string& id) {
    return rollout::start(fresh(id), Timestamp(seconds(1)), "alice", "a better one");
  }

  Store store;
  VersionStore& versions = store.ledger;
  decltype(store.ledger)& ledger = store.ledger;
};
TYPED_TEST_SUITE(LedgerContract, ContractStores);

TYPED_TEST(LedgerContract, NumbersVersionsPerModelAndListsTheNewestFirst) {
  EXPECT_EQ(this->add("a@1.0.0")->version.ordinal, 1u);
  EXPECT_EQ(this->add("b@1.0.0")->version.ordinal, 1u);
  EXPECT_EQ(this->add("a@1.1.0")->version.ordinal, 2u);
  const auto of_a = this->ledger.versions("a").value();
  ASSERT_EQ(of_a.size(), 2u);
  EXPECT_EQ(of_a[0].ref.str(), "a@1.1.0");
  EXPECT_EQ(of_a[0].stage, "Staging");
  EXPECT_EQ(of_a[0].identity, sha256("{}"));
  EXPECT_EQ(this->ledger.versions("").value().size(), 3u);
}

TYPED_TEST(LedgerContract, GivesTheGreatestVersionNumberOfAModelAndTheGreatestUpToOne) {
  for (const char* version : {"a@1.9.0", "a@1.10.0", "a@2.0.0-rc.2", "a@2.0.0-rc.10", "b@7.0.0"})
    ASSERT_TRUE(this->add(version));
  const auto greatest = [&](const char* model, const char* most) {
    std::optional<registry::SemanticVersion> limit;
    if (most != nullptr) limit = registry::SemanticVersion::parse(most).value();
    const auto found = this->versions.greatest(model, limit).value();
    return found ? found->str() : "none";
  };
  EXPECT_EQ(greatest("a", nullptr), "2.0.0-rc.10");
  EXPECT_EQ(greatest("a", "2.0.0-rc.9"), "2.0.0-rc.2");
  EXPECT_EQ(greatest("a", "1.10.0"), "1.10.0");
  EXPECT_EQ(greatest("a", "1.10.0-rc.1"), "1.9.0");
  EXPECT_EQ(greatest("a", "1.0.0"), "none");
  EXPECT_EQ(greatest("b", "9.0.0"), "7.0.0");
  EXPECT_EQ(greatest("c", nullptr), "none");
}

TYPED_TEST(LedgerContract, TheSameContentIsTheSameVersionAndIsRecordedOnce) {
  EXPECT_TRUE(this->add("a@1.0.0")->created);
  const auto again = this->add("a@1.0.0");
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->version.ordinal, 1u);
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 1u);
}

TYPED_TEST(LedgerContract, RefusesOtherContentUnderAUsedVersion) {
  ASSERT_TRUE(this->add("a@1.0.0", "{\"x\":1}"));
  const auto refused = this->add("a@1.0.0", "{\"x\":2}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_NE(refused.error().message.find(sha256("{\"x\":1}").hex()), std::string::npos);
  EXPECT_EQ(this->ledger.version(this->ref("a@1.0.0"))->manifest_json, "{\"x\":1}");
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 1u);
}

TYPED_TEST(LedgerContract, TellsEveryBlobThatItsVersionsReferTo) {
  registry::Manifest manifest;
  manifest.ref = this->ref("a@1.0.0");
  manifest.artifacts = {{"model.onnx", 5, sha256("model")}};
  manifest.code.commit = "0a1b";
  manifest.code.preprocessing = {{"features.py", sha256("features")}};
  manifest.code.dirty_diff_sha256 = sha256("diff").hex();
  manifest.environment.lock_files = {{"uv.lock", sha256("lock")}};
  manifest.data = {{"wards", "training", "", {{"site-a", sha256("site-a"), 7, ""}}}};
  manifest.data[0].slices[0].profile_sha256 = sha256("profile").hex();
  ASSERT_TRUE(this->add("a@1.0.0", wire::to_canonical_json(manifest)));
  std::map<Digest, BlobReference> found;
  ASSERT_TRUE(this->ledger.referenced_blobs([&](const BlobReference& blob) { found[blob.sha256] = blob; }));
  EXPECT_EQ(found.size(), 5u);
  EXPECT_EQ(found[sha256("model")].used_by, "a@1.0.0: artifact model.onnx");
  EXPECT_TRUE(found[sha256("features")].required);
  EXPECT_TRUE(found.contains(sha256("lock")));
  EXPECT_FALSE(found[sha256("diff")].required);
  EXPECT_EQ(found[sha256("profile")].used_by, "a@1.0.0: profile of wards/site-a");
  EXPECT_TRUE(found[sha256("profile")].required);
  manifest.code.dirty_diff_kept = true;
  manifest.ref = this->ref("a@1.1.0");
  ASSERT_TRUE(this->add("a@1.1.0", wire::to_canonical_json(manifest)));
  bool required = false;
  ASSERT_TRUE(this->ledger.referenced_blobs(
      [&](const BlobReference& blob) { required = required || (blob.sha256 == sha256("diff") && blob.required); }));
  EXPECT_TRUE(required);
  ASSERT_TRUE(this->add("a@2.0.0", "{not a manifest"));
  EXPECT_FALSE(this->ledger.referenced_blobs([](const BlobReference&) {}));
}

TYPED_TEST(LedgerContract, AnUnknownVersionIsNotFound) {
  EXPECT_EQ(this->ledger.version(this->ref("a@1.0.0")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(this->ledger.add_scorecard(this->ref("a@1.0.0"), {}, {}).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(this->ledger.read(1, 10)->empty());
}

TYPED_TEST(LedgerContract, KeepsScorecardsAndVerdictsWithTheirAuditEntries) {
  ASSERT_TRUE(this->add("a@1.0.0"));
  registry::Scorecard card{registry::ScorecardKind::kQuality, "test", "ci", {{"accuracy", "", 0.95, 200, {}, {}}}};
  ASSERT_TRUE(this->ledger.add_scorecard(this->ref("a@1.0.0"), card, {"ci", "scorecard.add", "a@1.0.0", "", "{}"}));
  const auto cards = this->ledger.scorecards(this->ref("a@1.0.0")).value();
  ASSERT_EQ(cards.size(), 1u);
  EXPECT_EQ(cards[0].scorecard.metrics[0].samples, 200u);

  for (const char* word : {"FAIL", "PASS"}) {
    StoredVerdict verdict;
    verdict.gate = "production";
    verdict.verdict = word;
    verdict.evidence = "{}";
    ASSERT_TRUE(this->ledger.add_verdict(this->ref("a@1.0.0"), verdict, {"ci", "gate.verdict", "a@1.0.0", word, "{}"}));
  }
  const auto verdicts = this->ledger.verdicts(this->ref("a@1.0.0")).value();
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[0].verdict, "PASS");
  EXPECT_EQ(cards[0].sequence, 2U);
  EXPECT_EQ(verdicts[0].sequence, 4U);
  EXPECT_EQ(verdicts[1].sequence, 3U);
  const auto entries = this->ledger.read(1, 10).value();
  EXPECT_EQ(entries.size(), 4u);
  EXPECT_TRUE(audit::verify(entries));
}

StoredScan scan_of(scan::Verdict verdict, const std::string& import) {
  StoredScan scan;
  scan.scanner = "1";
  scan.by = "ci";
  scan.report.add({verdict, "import", "model.pkl!x", import, "It runs commands.", 7});
  return scan;
}

TYPED_TEST(LedgerContract, KeepsTheScanOfANewVersionInItsTransactionAndLaterOnesBesideIt) {
  const registry::VersionRef ref = this->ref("a@1.0.0");
  const StoredScan first = scan_of(scan::Verdict::kDangerous, "posix.system");
  ASSERT_TRUE(this->ledger.add_version({ref, "{}", true, "alice", first}, {"alice", "version.register", "", "", "{}"}));
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 1u);
  ASSERT_EQ(this->ledger.scans(ref)->size(), 1u);
  EXPECT_EQ(this->ledger.scans(ref)->at(0).report, first.report);
  EXPECT_EQ(this->ledger.scans(ref)->at(0).by, "ci");

  const StoredScan second = scan_of(scan::Verdict::kSuspicious, "m.f");
  ASSERT_TRUE(this->ledger.add_scan(ref, second, {"ci", "version.scan", "a@1.0.0", "", "{}"}));
  ASSERT_EQ(this->ledger.scans(ref)->size(), 2u);
  EXPECT_EQ(this->ledger.scans(ref)->at(0).report, second.report);
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 2u);
  ASSERT_TRUE(
      this->ledger.add_version({ref, "{}", true, "alice", second}, {"alice", "version.register", "", "", "{}"}));
  EXPECT_EQ(this->ledger.scans(ref)->size(), 2u);
  EXPECT_EQ(this->ledger.add_scan(this->ref("b@1.0.0"), first, {}).error().code, ErrorCode::kNotFound);
}

TYPED_TEST(LedgerContract, KeepsExceptionsFromGatesNewestFirst) {
  const registry::VersionRef ref = this->ref("a@1.0.0");
  ASSERT_TRUE(this->add("a@1.0.0"));
  GateException exception;
  exception.gate_sha256 = sha256("a gate");
  exception.envelope = R"({"payload":""})";
  exception.reason = "reviewed";
  exception.signed_by = "alice";
  exception.expires = Timestamp(std::chrono::hours(500'000));
  const audit::Draft draft{"alice", "gate.accept", "a@1.0.0", "reviewed", "{}"};
  const auto first = this->ledger.add_gate_exception(ref, exception, draft);
  ASSERT_TRUE(first);
  exception.reason = "reviewed again";
  ASSERT_TRUE(this->ledger.add_gate_exception(ref, exception, draft));
  const auto all = this->ledger.gate_exceptions(ref).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].reason, "reviewed again");
  EXPECT_EQ(all[1].id, first->id);
  EXPECT_EQ(all[1].gate_sha256, exception.gate_sha256);
  EXPECT_EQ(all[1].envelope, exception.envelope);
  EXPECT_EQ(all[1].expires, exception.expires);
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 3u);
  EXPECT_EQ(this->ledger.add_gate_exception(this->ref("b@1.0.0"), exception, draft).error().code, ErrorCode::kNotFound);
}

TYPED_TEST(LedgerContract, KeepsExceptionsFromScansNewestFirst) {
  const registry::VersionRef ref = this->ref("a@1.0.0");
  ASSERT_TRUE(this->add("a@1.0.0"));
  ScanException exception;
  exception.findings = digest_of(scan_of(scan::Verdict::kDangerous, "posix.system").report);
  EXPECT_NE(exception.findings, digest_of(scan_of(scan::Verdict::kDangerous, "os.popen").report));
  exception.envelope = R"({"payload":""})";
  exception.reason = "reviewed";
  exception.signed_by = "alice";
  exception.expires = Timestamp(std::chrono::hours(500'000));
  const audit::Draft draft{"alice", "scan.accept", "a@1.0.0", "reviewed", "{}"};
  const auto first = this->ledger.add_scan_exception(ref, exception, draft);
  ASSERT_TRUE(first);
  exception.reason = "reviewed again";
  ASSERT_TRUE(this->ledger.add_scan_exception(ref, exception, draft));
  const auto all = this->ledger.scan_exceptions(ref).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].reason, "reviewed again");
  EXPECT_EQ(all[1].id, first->id);
  EXPECT_EQ(all[1].findings, exception.findings);
  EXPECT_EQ(all[1].envelope, exception.envelope);
  EXPECT_EQ(all[1].expires, exception.expires);
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 3u);
  EXPECT_EQ(this->ledger.add_scan_exception(this->ref("b@1.0.0"), exception, draft).error().code, ErrorCode::kNotFound);
}

TYPED_TEST(LedgerContract, StoresARolloutOnceHoweverOftenItIsCommitted) {
  const rollout::Transition started = this->start("diagnosis-1");
  ASSERT_TRUE(this->ledger.commit(started, "a"));
  ASSERT_TRUE(this->ledger.commit(started, "a"));
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 1u);
  EXPECT_EQ(this->ledger.active_rollouts().value(), std::vector{started.state});
  EXPECT_EQ(this->ledger.next_rollout_number("diagnosis").value(), 2u);
}

TYPED_TEST(LedgerContract, StoresWhatWasCheckedOnlyWhileTheLogIsAsItWas) {
  const rollout::Transition started = this->start("diagnosis-1");
  const std::uint64_t size = this->ledger.size().value();
  ASSERT_TRUE(this->ledger.append({"bob", "quarantine.add", "a@1.0.0", "", "{}"}));
  const auto late = this->ledger.commit(started, "a", size);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(this->ledger.active_rollouts()->empty());
  EXPECT_EQ(this->ledger.size().value(), size + 1) << "nothing of it was stored";
  ASSERT_TRUE(this->ledger.commit(started, "a", size + 1));
  EXPECT_TRUE(this->ledger.commit(started, "a", size + 1)) << "the same again, after its answer was lost";
}

TYPED_TEST(LedgerContract, RefusesARevisionThatDoesNotFollow) {
  rollout::Transition started = this->start("diagnosis-1");
  ASSERT_TRUE(this->ledger.commit(started, "a"));
  started.state.revision = 3;
  EXPECT_EQ(this->ledger.commit(started, "a").error().code, ErrorCode::kConflict);
}

TYPED_TEST(LedgerContract, RefusesASecondRolloutWhileOneIsUnderWay) {
  const rollout::Transition first = this->start("diagnosis-1");
  ASSERT_TRUE(this->ledger.commit(first, "a"));
  EXPECT_EQ(this->ledger.commit(this->start("diagnosis-2"), "a").error().code, ErrorCode::kConflict);
  const auto back = rollout::step(first.state, rollout::RollBack{"bob", "no"}, Timestamp(seconds(2)));
  ASSERT_TRUE(this->ledger.commit(back, "a"));
  EXPECT_TRUE(this->ledger.commit(this->start("diagnosis-2"), "a"));
  EXPECT_EQ(this->ledger.rollouts("diagnosis", 10)->front().id, "diagnosis-2");
  EXPECT_EQ(this->ledger.active_rollouts()->size(), 1u);
}

TYPED_TEST(LedgerContract, AFinishedRolloutMakesTheCandidateStableAndMovesStages) {
  ASSERT_TRUE(this->add("a@1.0.0"));
  ASSERT_TRUE(this->add("a@1.1.0"));
  rollout::State state = this->fresh("diagnosis-1");
  state.plan = rollout::blue_green_plan();
  state.plan.watch = milliseconds(0);
  rollout::Transition moved = rollout::start(state, Timestamp(seconds(1)), "alice", "why");
  ASSERT_TRUE(this->ledger.commit(moved, "a"));
  moved = rollout::step(moved.state, rollout::CandidateReady{}, Timestamp(seconds(2)));
  ASSERT_TRUE(this->ledger.commit(moved, "a"));
  while (!rollout::is_final(moved.state.phase)) {
    moved = rollout::step(moved.state, rollout::Promote{"alice", "go"}, Timestamp(seconds(3)));
    ASSERT_TRUE(this->ledger.commit(moved, "a"));
  }
  const auto record = this->ledger.endpoint("diagnosis").value();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->stable, "1.1.0");
  EXPECT_EQ(record->standby, "1.0.0");
  EXPECT_EQ(this->ledger.version(this->ref("a@1.1.0"))->stage, "Production");
  EXPECT_EQ(this->ledger.version(this->ref("a@1.0.0"))->stage, "Archived");
  EXPECT_TRUE(this->ledger.active_rollouts()->empty());
  EXPECT_TRUE(audit::verify(this->ledger.read(1, 100).value()));
}

TYPED_TEST(LedgerContract, RemembersTheFirstAnswerOfAKey) {
  const StoredAnswer first{sha256("request"), 201, "application/json", "{\"a\":1}"};
  EXPECT_EQ(this->ledger.answer("k").value(), std::nullopt);
  ASSERT_TRUE(this->ledger.remember("k", first));
  ASSERT_TRUE(this->ledger.remember("k", {sha256("other"), 400, "text/plain", "b"}));
  EXPECT_EQ(this->ledger.answer("k").value(), first);
  EXPECT_EQ(this->ledger.answer("l").value(), std::nullopt);
}

TYPED_TEST(LedgerContract, ReadsTheAuditLogInPages) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(this->ledger.append({"alice", "note", "x", std::to_string(i), "{}"}));
  const auto page = this->ledger.read(3, 2).value();
  ASSERT_EQ(page.size(), 2u);
  EXPECT_EQ(page[0].sequence, 3u);
  EXPECT_EQ(page[1].draft.reason, "3");
}

TYPED_TEST(LedgerContract, ABatchIsAppendedInOrderAsItsEntriesOneByOneWouldBe) {
  ASSERT_TRUE(this->ledger.append({"alice", "note", "a", "", "{}"}));
  std::vector<audit::Draft> drafts;
  for (int i = 0; i < 100; ++i) drafts.push_back({"alice", "note", "b", std::to_string(i), "{}"});
  const auto last = this->ledger.append_batch(drafts);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->sequence, 101u);
  EXPECT_EQ(last->draft.reason, "99");
  ASSERT_TRUE(this->ledger.append({"alice", "note", "c", "", "{}"}));
  const auto entries = this->ledger.read(1, 1000).value();
  ASSERT_EQ(entries.size(), 102u);
  EXPECT_EQ(entries[100].hash, last->hash);
  EXPECT_EQ(entries[50].draft.reason, "49");
  EXPECT_TRUE(audit::verify(entries));
  EXPECT_EQ(this->ledger.append_batch({}).error().code, ErrorCode::kInvalidArgument);
}

TYPED_TEST(LedgerContract, KeepsTheMerkleTreeOfItsAuditLog) {
  const auto read = [this](audit::NodeId node) { return this->ledger.tree_node(node); };
  audit::CompactRange edge;
  for (int i = 0; i < 70; ++i) {
    // Ones, and batches of each small size.
    std::vector<audit::Draft> drafts(static_cast<std::size_t>(1 + i % 4),
                                     {"alice", "note", std::to_string(i), "", "{}"});
    ASSERT_TRUE(i % 4 == 0 ? this->ledger.append(drafts[0]) : this->ledger.append_batch(drafts));
    const std::vector<audit::Entry> added = this->ledger.read(edge.size() + 1, 10).value();
    for (const audit::Entry& entry : added) ASSERT_TRUE(edge.append(audit::leaf_hash(audit::leaf_bytes(entry))));
    const auto root = audit::root_of(edge.size(), read);
    ASSERT_TRUE(root);
    EXPECT_EQ(*root, edge.root().value());
  }
  EXPECT_EQ(this->ledger.tree_node({0, edge.size()}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(this->ledger.tree_node({7, 1}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(this->ledger.tree_node({63, 0}).error().code, ErrorCode::kNotFound);
}

TYPED_TEST(LedgerContract, KeepsSignaturesNewestFirstWithTheirAuditEntries) {
  ASSERT_TRUE(this->add("m@1.0.0"));
  const auto ref = this->ref("m@1.0.0");
  for (const char* signer : {"first", "second"})
    ASSERT_TRUE(this->ledger.add_signature(ref, {0, "{\"bundle\":1}", signer, {}, "alice"},
                                           {"alice", "version.sign", "m@1.0.0", "approved", "{}"}));
  const auto signatures = this->ledger.signatures(ref).value();
  ASSERT_EQ(signatures.size(), 2u);
  EXPECT_EQ(signatures[0].signer, "second");
  EXPECT_EQ(signatures[1].bundle, "{\"bundle\":1}");
  EXPECT_EQ(signatures[1].signed_by, "alice");
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 3u);
  EXPECT_EQ(this->ledger.signatures(this->ref("m@9.0.0")).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(this->ledger.add_signature(this->ref("m@9.0.0"), {}, {}));
  EXPECT_EQ(this->ledger.read(1, 10)->size(), 3u);
}

}  // namespace
}  // namespace backstay
