"""Signatures of versions, against the model-signing program in both directions; attestations; keys."""

import base64
import json
import pathlib
import sqlite3
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

import model_signing
from release import QUALITY

# Names whose order by components differs from that of their bytes.
FILES = {"a/b": b"one", "a-b": b"two", "a.txt": b"three", "weights.bin": bytes(range(256)) * 50, "empty": b"",
         "d\u00e9j\u00e0/vu": b"four"}


@pytest.fixture
def key(backstay) -> pathlib.Path:
    backstay("key", "generate", "release.pem")
    return backstay.folder / "release.pem"


@pytest.fixture
def folder(backstay) -> pathlib.Path:
    """A model that Backstay has never seen."""
    for name, content in FILES.items():
        (backstay.folder / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (backstay.folder / "model" / name).write_bytes(content)
    return backstay.folder / "model"


def public(key: pathlib.Path) -> pathlib.Path:
    return key.with_name(key.name + ".pub")


def flip_a_byte(file: pathlib.Path) -> None:
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_private_key_is_its_owners_only_and_never_overwritten(backstay, releases, key):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    backstay("key", "generate", key, code=5)
    assert key.read_bytes() == before
    serialization.load_pem_public_key(public(key).read_bytes())
    releases.register("1.0.0")
    key.chmod(0o644)
    assert "open to others" in backstay("sign", "m@1.0.0", "--key", key, code=4).err
    backstay("key", "generate", "x.pem", "--type", "rsa", code=2)


@pytest.mark.parametrize("curve", model_signing.CURVES)
def test_what_is_signed_here_verifies_there_and_a_changed_byte_fails_in_both(backstay, releases, curve):
    backstay("key", "generate", "k.pem", "--type", curve)
    releases.register("1.0.0", FILES)
    backstay("sign", "m@1.0.0", "--key", "k.pem", "--meaning", "approved by QA")
    backstay("checkout", "m@1.0.0", "out", "--signature")
    out, pub = backstay.folder / "out", backstay.folder / "k.pem.pub"
    model_signing.verify(out, pub)
    assert backstay("signature", "verify", out, "--key", pub, "--json").json["files"] == len(FILES)
    verified = backstay("signature", "verify", "m@1.0.0", "--key", pub, "--json").json
    assert verified["meaning"]["meaning"] == "approved by QA" and verified["meaning"]["signed_by"] == "tester"
    flip_a_byte(out / "weights.bin")
    model_signing.verify(out, pub, code=1)
    assert "'weights.bin' was changed" in backstay("signature", "verify", out, "--key", pub, code=9).err


@pytest.mark.parametrize("curve", model_signing.CURVES)
def test_what_is_signed_there_verifies_here_and_a_changed_byte_fails_in_both(backstay, folder, curve):
    backstay("key", "generate", "k.pem", "--type", curve)
    pub = backstay.folder / "k.pem.pub"
    model_signing.sign(folder, backstay.folder / "k.pem")
    verified = backstay("signature", "verify", folder, "--key", pub, "--json").json
    assert verified["files"] == len(FILES) and "model.sig" in verified["ignore_paths"]
    flip_a_byte(folder / "a" / "b")
    model_signing.verify(folder, pub, code=1)
    assert "'a/b' was changed" in backstay("signature", "verify", folder, "--key", pub, code=9).err


def test_an_added_or_missing_file_or_a_link_is_noticed(backstay, folder, key):
    model_signing.sign(folder, key)
    (folder / "new").write_bytes(b"x")
    assert "'new' was not signed" in backstay("signature", "verify", folder, "--key", public(key), code=9).err
    (folder / "new").unlink()
    (folder / "a-b").rename(backstay.folder / "a-b")
    assert "'a-b' is missing" in backstay("signature", "verify", folder, "--key", public(key), code=9).err
    (folder / "a-b").symlink_to(backstay.folder / "a-b")
    assert "symbolic link" in backstay("signature", "verify", folder, "--key", public(key), code=9).err


def test_the_signers_ignore_list_is_told_because_it_can_hide_files(backstay, folder, key):
    (folder / "hidden").mkdir()
    (folder / "hidden" / "payload.bin").write_bytes(b"unsigned")
    model_signing.sign(folder, key, "--ignore-paths", folder / "hidden")
    (folder / "hidden" / "payload.bin").write_bytes(b"changed")
    told = backstay("signature", "verify", folder, "--key", public(key))
    assert "not covered by the signature:" in told.out and "hidden" in told.out
    model_signing.sign(folder, key, "--ignore-paths", folder)
    model_signing.verify(folder, public(key))
    assert "covers no file" in backstay("signature", "verify", folder, "--key", public(key), code=9).err


@pytest.mark.parametrize("curve", model_signing.CURVES)
def test_certificates_work_in_both_directions(backstay, releases, folder, curve):
    authority = model_signing.Authority(backstay.folder / "ca", curve)
    releases.register("1.0.0", FILES)
    signed = backstay("sign", "m@1.0.0", "--key", authority.key, "--certificate", authority.chain, "--json").json
    assert signed["signer"] == "CN=signer"
    backstay("checkout", "m@1.0.0", "out", "--signature")
    out = backstay.folder / "out"
    model_signing.model_signing("verify", "certificate", "--certificate_chain", authority.root, "--signature",
                                out / "model.sig", out)
    backstay("signature", "verify", "m@1.0.0", "--certificate-chain", authority.root)
    model_signing.model_signing("sign", "certificate", "--private_key", authority.key, "--signing_certificate",
                                authority.certificate, "--certificate_chain", authority.between, "--signature",
                                folder / "model.sig", folder)
    told = backstay("signature", "verify", folder, "--certificate-chain", authority.root)
    assert "signed by CN=signer" in told.out
    stranger = model_signing.Authority(backstay.folder / "other")
    assert "not trusted" in backstay("signature", "verify", folder, "--certificate-chain", stranger.root, code=9).err
    flip_a_byte(folder / "weights.bin")
    backstay("signature", "verify", folder, "--certificate-chain", authority.root, code=9)


def test_a_signature_outlives_its_certificate_but_not_a_certificate_for_other_uses(backstay, releases):
    releases.register("1.0.0")
    old = model_signing.Authority(backstay.folder / "old", years_ago=3)
    backstay("sign", "m@1.0.0", "--key", old.key, "--certificate", old.chain)
    backstay("signature", "verify", "m@1.0.0", "--certificate-chain", old.root)
    other = model_signing.Authority(backstay.folder / "other", usage=False)
    backstay("sign", "m@1.0.0", "--key", other.key, "--certificate", other.chain)
    assert "not for signing" in backstay("signature", "verify", "m@1.0.0", "--certificate-chain", other.root, code=9).err
    backstay("sign", "m@1.0.0", "--key", other.key, "--certificate", old.chain, code=2)


def test_only_the_signers_key_verifies_and_each_signer_counts(backstay, releases, key):
    releases.register("1.0.0")
    backstay("key", "generate", "second.pem", "--type", "p384")
    backstay("signature", "verify", "m@1.0.0", "--key", public(key), code=3)
    backstay("sign", "m@1.0.0", "--key", "second.pem")
    assert "another key" in backstay("signature", "verify", "m@1.0.0", "--key", public(key), code=9).err
    backstay("sign", "m@1.0.0", "--key", key)
    for pub in (public(key), "second.pem.pub"):
        backstay("signature", "verify", "m@1.0.0", "--key", pub)
    shown = backstay("show", "m@1.0.0", "--json").json["signatures"]
    assert len(shown) == 2 and {signature["signed_by"] for signature in shown} == {"tester"}
    actions = [entry["action"] for entry in backstay.audit()]
    assert actions == ["version.register", "version.sign", "version.sign"]


def test_a_signature_cannot_be_moved_to_another_version_of_the_same_files(backstay, releases, key):
    releases.register("1.0.0", FILES)
    releases.register("1.1.0", FILES)
    backstay("sign", "m@1.0.0", "--key", key, "--output", "model.sig")
    refused = backstay("signature", "verify", "m@1.1.0", "--key", public(key), "--signature", "model.sig", code=9)
    assert "is of m@1.0.0" in refused.err
    backstay("signature", "verify", "m@1.0.0", "--key", public(key), "--signature", "model.sig")


def test_an_artifact_that_verifiers_would_ignore_is_not_signed(backstay, releases, key):
    releases.register("1.0.0", {".github/workflow": b"x", "weights.bin": b"w"})
    assert "not be covered" in backstay("sign", "m@1.0.0", "--key", key, code=10).err


def test_a_tampered_or_broken_bundle_is_refused(backstay, folder, key):
    model_signing.sign(folder, key)
    file = folder / "model.sig"
    bundle = json.loads(file.read_text())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))

    def refused(code, change):
        changed = json.loads(json.dumps(bundle))
        change(changed)
        file.write_text(json.dumps(changed))
        backstay("signature", "verify", folder, "--key", public(key), code=code)

    def rewritten(changed):
        statement["predicate"]["resources"][0]["name"] = "other"
        changed["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()

    refused(9, rewritten)
    refused(9, lambda b: b["verificationMaterial"]["publicKey"].update(hint="0" * 64))
    refused(2, lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.1+json"))
    refused(2, lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]))
    refused(2, lambda b: b["dsseEnvelope"].update(payload="not base64"))
    refused(2, lambda b: b["verificationMaterial"].pop("publicKey"))
    file.write_text('{"mediaType":' * 1000)
    backstay("signature", "verify", folder, "--key", public(key), code=2)


def test_stored_signatures_cannot_be_changed(backstay, releases, key):
    releases.register("1.0.0")
    backstay("sign", "m@1.0.0", "--key", key)
    with sqlite3.connect(backstay.data_dir / "registry.db") as connection:
        for sql in ("UPDATE signatures SET signer = 'x'", "DELETE FROM signatures"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                connection.execute(sql)


# --- attestations ---


def dsse_payload(file: pathlib.Path, pub: pathlib.Path) -> dict:
    """What an attestation says, verified by another implementation of DSSE."""
    key = SSlibKey.from_crypto(serialization.load_pem_public_key(pub.read_bytes()))
    envelope = json.loads(file.read_text())
    key.keyid = envelope["signatures"][0]["keyid"]
    parsed = Envelope.from_dict(envelope)
    parsed.verify([key], 1)
    return json.loads(parsed.payload)


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_provenance_says_what_the_manifest_says(backstay, releases, kind):
    backstay("key", "generate", "k.pem", "--type", kind)
    releases.register("1.0.0", FILES)
    backstay("attest", "m@1.0.0", "--kind", "provenance", "--key", "k.pem", "--output", "p.json")
    statement = dsse_payload(backstay.folder / "p.json", backstay.folder / "k.pem.pub")
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {subject["name"] for subject in statement["subject"]} == set(FILES)
    manifest = backstay("show", "m@1.0.0", "--json").json["manifest"]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"model": "m", "version": "1.0.0", "config": manifest["config"]}
    code, data = definition["resolvedDependencies"]
    assert code == {"name": "code", "uri": "git@example.org:m.git", "digest": {"gitCommit": "0a1b2c3"}}
    assert data["name"] == "data/training/wards/site-a" and data["annotations"] == {"rows": 7}
    assert data["digest"]["sha256"] == manifest["data"][0]["slices"][0]["sha256"]
    assert backstay("attestation", "verify", "p.json", "--key", "k.pem.pub", "--json").json["statement"] == statement
    assert backstay.audit()[-1]["action"] == "version.attest"


def test_an_evaluation_says_what_was_measured_and_judged(backstay, releases, key):
    releases.register("1.0.0")
    backstay("attest", "m@1.0.0", "--kind", "evaluation", "--key", key, code=10)

    def attested():
        file = backstay.folder / "e.json"
        backstay("attest", "m@1.0.0", "--kind", "evaluation", "--key", key, "--output", file)
        return dsse_payload(file, public(key))["predicate"]

    releases.measure("1.0.0", {**QUALITY, "metrics": [{"name": "accuracy", "value": 0.5, "samples": 2000}]})
    releases.gate("1.0.0", code=6)
    failed = attested()
    assert failed["result"] == "FAILED" and failed["failedTests"] == ["production: accuracy >= 0.9"]
    releases.measure("1.0.0")
    releases.gate("1.0.0")
    passed = attested()
    assert passed["result"] == "PASSED" and "production: accuracy >= 0.9" in passed["passedTests"]
    assert not passed["failedTests"]
    assert [card["metrics"][0]["value"] for card in passed["scorecards"]] == [0.5, 0.97]
    assert passed["configuration"][0]["digest"]["sha256"]


def test_a_changed_attestation_is_refused(backstay, releases, key):
    releases.register("1.0.0")
    backstay("key", "generate", "other.pem")
    backstay("attest", "m@1.0.0", "--kind", "provenance", "--key", key, "--output", "p.json")
    backstay("attestation", "verify", "p.json", "--key", "other.pem.pub", code=9)
    envelope = json.loads((backstay.folder / "p.json").read_text())
    payload = base64.b64decode(envelope["payload"]).replace(b"weights", b"Weights")
    (backstay.folder / "p.json").write_text(json.dumps({**envelope, "payload": base64.b64encode(payload).decode()}))
    backstay("attestation", "verify", "p.json", "--key", public(key), code=9)
    backstay("attest", "m@1.0.0", "--kind", "praise", "--key", key, code=2)
