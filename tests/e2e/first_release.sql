PRAGMA application_id = 1112757337;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE audit(
  sequence INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  evidence TEXT NOT NULL,
  previous BLOB NOT NULL CHECK(length(previous) = 32),
  hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;
INSERT INTO "audit" VALUES(1,1795613011067820,'tester','version.register','m@1.0.0','Release 1.0.0.','{"manifest_sha256":"bcd9d3fc84e432c7919bee966e8b573ecff5deba843fca2ffb5b3bb33af593ef"}',X'0000000000000000000000000000000000000000000000000000000000000000',X'D87345F70BF743D85D65D50F029027C67B04ADAAAF776D16E0D4FC538B3AE272');
INSERT INTO "audit" VALUES(2,1795613011075762,'tester','scorecard.add','m@1.0.0','quality measured on held-out by tests','{"dataset":"held-out","evaluator":"tests","kind":"quality","metrics":[{"name":"accuracy","samples":2000,"value":0.97}]}',X'D87345F70BF743D85D65D50F029027C67B04ADAAAF776D16E0D4FC538B3AE272',X'2F2097DB30F38C9054F9FC7150D856BA4545841A3F882C0CA8876545328A48A9');
INSERT INTO "audit" VALUES(3,1795613011083958,'tester','gate.verdict','m@1.0.0','Gate ''production'' says PASS.','{"decision":"PASS","rows":[{"decision":"PASS","explanation":"Code, data, configuration and changelog are recorded.","observed":"complete","rule":"version is complete"},{"decision":"PASS","explanation":"Clears the bound with confidence.","observed":"0.970 [0.962, 0.977] on 2000","rule":"accuracy >= 0.9"}]}',X'2F2097DB30F38C9054F9FC7150D856BA4545841A3F882C0CA8876545328A48A9',X'93C5497B9C5A64B05E27CD78F8C51FCF475ED13BCDD3EA500A1BEB6CE8461DAA');
INSERT INTO "audit" VALUES(4,1795613011094029,'tester','version.register','m@1.1.0','Release 1.1.0.','{"manifest_sha256":"f27a870c816f77c006b5c77adbf967b8a652d63dfa9d9ead89ebe07df3fb7e7c"}',X'93C5497B9C5A64B05E27CD78F8C51FCF475ED13BCDD3EA500A1BEB6CE8461DAA',X'A2200AA2AE2AEE2949B13E092926D7031C5B43889496A6B62B26EC5AE7FF04C5');
INSERT INTO "audit" VALUES(5,1795613011101246,'tester','scorecard.add','m@1.1.0','quality measured on held-out by tests','{"dataset":"held-out","evaluator":"tests","kind":"quality","metrics":[{"name":"accuracy","samples":2000,"value":0.97}]}',X'A2200AA2AE2AEE2949B13E092926D7031C5B43889496A6B62B26EC5AE7FF04C5',X'074C8F18FE38EC31033E7E68E6BB0683864B32A06002597A2BA2A5F8890EA142');
INSERT INTO "audit" VALUES(6,1795613011111268,'tester','gate.verdict','m@1.1.0','Gate ''production'' says PASS.','{"decision":"PASS","rows":[{"decision":"PASS","explanation":"Code, data, configuration and changelog are recorded.","observed":"complete","rule":"version is complete"},{"decision":"PASS","explanation":"Clears the bound with confidence.","observed":"0.970 [0.962, 0.977] on 2000","rule":"accuracy >= 0.9"}]}',X'074C8F18FE38EC31033E7E68E6BB0683864B32A06002597A2BA2A5F8890EA142',X'B043DE65224B3D73B0273AE49F902BF7928809B01304310900148A258A402F6A');
INSERT INTO "audit" VALUES(7,1795613011131334,'tester','rollout.start','endpoint e','first','{"from":"","rollout":"e-1","to":"1.0.0"}',X'B043DE65224B3D73B0273AE49F902BF7928809B01304310900148A258A402F6A',X'B0251EB2F55BDF2993D35E98943E664C9E676DCF5E1B4293FE731312292CBD11');
INSERT INTO "audit" VALUES(8,1795613011134356,'backstay','rollout.done','endpoint e','1.0.0 is the endpoint''s first version.','{"from":"","rollout":"e-1","to":"1.0.0"}',X'B0251EB2F55BDF2993D35E98943E664C9E676DCF5E1B4293FE731312292CBD11',X'7D914DA8C9FEB781DE1D08137E4DFFE83D7A2033D05185F0941D74686258B664');
INSERT INTO "audit" VALUES(9,1795613011143447,'tester','rollout.start','endpoint e','next','{"from":"1.0.0","rollout":"e-2","to":"1.1.0"}',X'7D914DA8C9FEB781DE1D08137E4DFFE83D7A2033D05185F0941D74686258B664',X'2B31C355C1F225E301019E2A934063CC5013C033114BFA3D1CCCBE4DC72EFABC');
INSERT INTO "audit" VALUES(10,1795613011145493,'backstay','rollout.watch','endpoint e','1.1.0 passed every step.','{"from":"1.0.0","rollout":"e-2","to":"1.1.0"}',X'2B31C355C1F225E301019E2A934063CC5013C033114BFA3D1CCCBE4DC72EFABC',X'02A4AB349254BCA48A4963F042E4945168D59B8C5F675177C7FE35E7DF149149');
INSERT INTO "audit" VALUES(11,1795613011152393,'tester','rollout.rollback','endpoint e','worse','{"from":"1.0.0","rollout":"e-2","to":"1.1.0"}',X'02A4AB349254BCA48A4963F042E4945168D59B8C5F675177C7FE35E7DF149149',X'9BF2A480F466E7DE8DC383BA80048B30FD9ED310B27839EBB9C15D3E22AB2A9F');
CREATE TABLE endpoints(
  name TEXT PRIMARY KEY,
  model TEXT NOT NULL,
  stable TEXT NOT NULL,
  standby TEXT NOT NULL) STRICT;
INSERT INTO "endpoints" VALUES('e','m','1.0.0','');
CREATE TABLE rollouts(
  id TEXT PRIMARY KEY,
  endpoint TEXT NOT NULL,
  number INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  final INTEGER NOT NULL,
  state TEXT NOT NULL,
  UNIQUE(endpoint, number)) STRICT;
INSERT INTO "rollouts" VALUES('e-1','e',1,2,1,'{"candidate":"1.0.0","candidate_ready":true,"endpoint":"e","id":"e-1","last_up":"2026-11-25T13:23:31.134308Z","paused":false,"phase":"done","phase_since":"2026-11-25T13:23:31.134308Z","plan":{"holdback":0.05,"ready_timeout":"1m","steps":[],"watch":"1h"},"revert":false,"revision":2,"samples":0,"stable":"","started_at":"2026-11-25T13:23:31.131258Z","step_index":0}');
INSERT INTO "rollouts" VALUES('e-2','e',2,3,1,'{"candidate":"1.1.0","candidate_ready":true,"cause":{"actor":"tester","evidence":"{}","reason":"worse","trigger":"manual"},"endpoint":"e","id":"e-2","last_up":"2026-11-25T13:23:31.145317Z","paused":false,"phase":"rolled_back","phase_since":"2026-11-25T13:23:31.152329Z","plan":{"holdback":0.0,"ready_timeout":"1m","steps":[],"watch":"1h"},"revert":false,"revision":3,"samples":0,"stable":"1.0.0","started_at":"2026-11-25T13:23:31.143381Z","step_index":0}');
CREATE TABLE scorecards(
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  scorecard TEXT NOT NULL,
  at INTEGER NOT NULL) STRICT;
INSERT INTO "scorecards" VALUES(1,1,'{"dataset":"held-out","evaluator":"tests","kind":"quality","metrics":[{"name":"accuracy","samples":2000,"value":0.97}]}',1795613011075762);
INSERT INTO "scorecards" VALUES(2,2,'{"dataset":"held-out","evaluator":"tests","kind":"quality","metrics":[{"name":"accuracy","samples":2000,"value":0.97}]}',1795613011101246);
CREATE TABLE stage_history(
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  stage TEXT NOT NULL,
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;
INSERT INTO "stage_history" VALUES(1,1,'Staging',1);
INSERT INTO "stage_history" VALUES(2,2,'Staging',4);
INSERT INTO "stage_history" VALUES(3,1,'Production',8);
CREATE TABLE stages(
  version_id INTEGER PRIMARY KEY REFERENCES versions(id),
  stage TEXT NOT NULL CHECK(stage IN ('Staging', 'Production', 'Archived'))) STRICT;
INSERT INTO "stages" VALUES(1,'Production');
INSERT INTO "stages" VALUES(2,'Staging');
CREATE TABLE verdicts(
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  gate TEXT NOT NULL,
  gate_digest BLOB NOT NULL CHECK(length(gate_digest) = 32),
  verdict TEXT NOT NULL CHECK(verdict IN ('PASS', 'FAIL', 'INSUFFICIENT')),
  evidence TEXT NOT NULL,
  at INTEGER NOT NULL,
  decided_by TEXT NOT NULL) STRICT;
INSERT INTO "verdicts" VALUES(1,1,'production',X'453709335DC9A6965608AC044EF2E7DC3F2E5F28EC2860A3B462567F1A6F9141','PASS','{"decision":"PASS","rows":[{"decision":"PASS","explanation":"Code, data, configuration and changelog are recorded.","observed":"complete","rule":"version is complete"},{"decision":"PASS","explanation":"Clears the bound with confidence.","observed":"0.970 [0.962, 0.977] on 2000","rule":"accuracy >= 0.9"}]}',1795613011083958,'tester');
INSERT INTO "verdicts" VALUES(2,2,'production',X'453709335DC9A6965608AC044EF2E7DC3F2E5F28EC2860A3B462567F1A6F9141','PASS','{"decision":"PASS","rows":[{"decision":"PASS","explanation":"Code, data, configuration and changelog are recorded.","observed":"complete","rule":"version is complete"},{"decision":"PASS","explanation":"Clears the bound with confidence.","observed":"0.970 [0.962, 0.977] on 2000","rule":"accuracy >= 0.9"}]}',1795613011111268,'tester');
CREATE TABLE versions(
  id INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  identity BLOB NOT NULL CHECK(length(identity) = 32),
  manifest TEXT NOT NULL,
  complete INTEGER NOT NULL,
  registered_at INTEGER NOT NULL,
  registered_by TEXT NOT NULL,
  UNIQUE(model, version),
  UNIQUE(model, ordinal)) STRICT;
INSERT INTO "versions" VALUES(1,'m','1.0.0',1,X'BCD9D3FC84E432C7919BEE966E8B573ECFF5DEBA843FCA2FFB5B3BB33AF593EF','{"artifacts":[{"path":"weights.bin","sha256":"2fe8486376633e7abce2271996f0d544771c390b33f25346c2b097b3b947c48c","size_bytes":16}],"changelog":"Release 1.0.0.","code":{"commit":"0a1b2c3","repository":"git@example.org:m.git"},"config":{"seed":"7"},"data":[{"name":"wards","role":"training","slices":[{"name":"site-a","rows":7,"sha256":"d74a1ffe00242cd0fcc9bdbbf699eb6cad7708c2ceff66d9dd6d425cc6a37203"}]}],"model":"m","version":"1.0.0"}',1,1795613011067820,'tester');
INSERT INTO "versions" VALUES(2,'m','1.1.0',2,X'F27A870C816F77C006B5C77ADBF967B8A652D63DFA9D9EAD89EBE07DF3FB7E7C','{"artifacts":[{"path":"weights.bin","sha256":"d6dbbac855bb5be2d3e9eadbe48f523e0554187e22ef0391d99b79918aec91a8","size_bytes":16}],"changelog":"Release 1.1.0.","code":{"commit":"0a1b2c3","repository":"git@example.org:m.git"},"config":{"seed":"7"},"data":[{"name":"wards","role":"training","slices":[{"name":"site-a","rows":7,"sha256":"d74a1ffe00242cd0fcc9bdbbf699eb6cad7708c2ceff66d9dd6d425cc6a37203"}]}],"model":"m","parents":["m@1.0.0"],"version":"1.1.0"}',1,1795613011094029,'tester');
CREATE INDEX scorecards_of ON scorecards(version_id);
CREATE INDEX verdicts_of ON verdicts(version_id);
CREATE UNIQUE INDEX one_active_rollout ON rollouts(endpoint) WHERE final = 0;
CREATE TRIGGER versions_refuse_UPDATE BEFORE UPDATE ON versions BEGIN SELECT RAISE(ABORT, 'versions are never changed'); END;
CREATE TRIGGER versions_refuse_DELETE BEFORE DELETE ON versions BEGIN SELECT RAISE(ABORT, 'versions are never changed'); END;
CREATE TRIGGER stage_history_refuse_UPDATE BEFORE UPDATE ON stage_history BEGIN SELECT RAISE(ABORT, 'stage_history are never changed'); END;
CREATE TRIGGER stage_history_refuse_DELETE BEFORE DELETE ON stage_history BEGIN SELECT RAISE(ABORT, 'stage_history are never changed'); END;
CREATE TRIGGER scorecards_refuse_UPDATE BEFORE UPDATE ON scorecards BEGIN SELECT RAISE(ABORT, 'scorecards are never changed'); END;
CREATE TRIGGER scorecards_refuse_DELETE BEFORE DELETE ON scorecards BEGIN SELECT RAISE(ABORT, 'scorecards are never changed'); END;
CREATE TRIGGER verdicts_refuse_UPDATE BEFORE UPDATE ON verdicts BEGIN SELECT RAISE(ABORT, 'verdicts are never changed'); END;
CREATE TRIGGER verdicts_refuse_DELETE BEFORE DELETE ON verdicts BEGIN SELECT RAISE(ABORT, 'verdicts are never changed'); END;
CREATE TRIGGER audit_refuse_UPDATE BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit are never changed'); END;
CREATE TRIGGER audit_refuse_DELETE BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit are never changed'); END;
CREATE TRIGGER rollouts_refuse_DELETE BEFORE DELETE ON rollouts BEGIN SELECT RAISE(ABORT, 'rollouts are never forgotten'); END;
COMMIT;
