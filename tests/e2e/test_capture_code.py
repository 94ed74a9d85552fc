"""What `backstay register` finds out about the code a version is made from."""

import hashlib
import subprocess

import pytest

from program import wait_until


class Repository:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments, **options) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        return subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, text=True,
                              capture_output=True, **options).stdout.strip()

    def commit(self) -> str:
        self.git("add", "-A", ".")
        self.git("commit", "-q", "-m", "x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def described(backstay, releases):
    """A version whose folder is a git work tree with one commit; its version.yaml says nothing of code."""
    file = releases.describe("1.0.0", code={"preprocessing": ["features.py"]})
    repository = Repository(file.parent)
    (file.parent / "features.py").write_text("x = 1\n")
    (file.parent / ".gitignore").write_text("files/\nversion.yaml\nout/\n")
    repository.head = repository.commit()
    return repository


def code_of(backstay) -> dict:
    return backstay("show", "m@1.0.0", "--json").json["manifest"]["code"]


def test_a_clean_work_tree_gives_its_commit_and_where_it_comes_from(backstay, described):
    described.git("remote", "add", "origin", "https://bob:secret@example.org/m.git")
    registered = backstay("register", described.folder / "version.yaml", "--json").json
    assert registered["missing"] == [] and registered["warnings"] == []
    code = code_of(backstay)
    assert code["commit"] == described.head and code["repository"] == "https://example.org/m.git"
    assert "dirty_diff_sha256" not in code and code["preprocessing"][0]["path"] == "features.py"
    assert backstay("register", described.folder / "version.yaml", "--json").json["created"] is False


def test_uncommitted_changes_are_stored_so_that_git_can_apply_them(backstay, described):
    (described.folder / "features.py").write_text("x = 2\n")
    (described.folder / "new.py").write_text("y = 1\n")
    backstay("register", described.folder / "version.yaml")
    digest = code_of(backstay)["dirty_diff_sha256"]
    backstay("reproduce", "m@1.0.0", "--to", "again", "--repository", backstay.folder / "nowhere", "--json", code=10)
    patch = (backstay.folder / "again/uncommitted.patch").read_bytes()
    assert hashlib.sha256(patch).hexdigest() == digest
    described.git("stash", "-q", "-u")
    subprocess.run(["git", "apply"], input=patch, cwd=described.folder, check=True)
    assert (described.folder / "features.py").read_text() == "x = 2\n"
    assert (described.folder / "new.py").read_text() == "y = 1\n"


def test_untracked_secrets_never_reach_the_store_and_are_named(backstay, described):
    secret = "wJalrXUtnFEMI-K7MDENG"
    (described.folder / ".env").write_text(f"AWS_SECRET_ACCESS_KEY={secret}\n")
    (described.folder / "deploy.sh").write_text(f"export AWS_SECRET_ACCESS_KEY={secret}\n")
    (described.folder / "new.py").write_text("y = 1\n")
    for options in ([], ["--dry-run"]):
        done = backstay("register", described.folder / "version.yaml", *options)
        assert "warning: Untracked files that look like secrets are not recorded: .env, deploy.sh." in done.err
        assert "warning: 1 untracked file is recorded with the uncommitted changes: new.py." in done.err
    digest = code_of(backstay)["dirty_diff_sha256"]
    patch = (backstay.data_dir / "blobs/sha256" / digest[:2] / digest).read_bytes()
    assert b"new.py" in patch and b".env" not in patch
    assert not [p for p in backstay.data_dir.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


def test_uncommitted_changes_are_said_wherever_the_commit_is(backstay, described):
    clean = backstay("register", described.folder / "version.yaml", "--dry-run", code=3)
    assert "There is no registry in" in clean.err and not backstay.data_dir.exists()
    done = backstay("register", described.folder / "version.yaml")
    assert f"code: commit {described.head[:12]}\n" in done.out
    (described.folder / "features.py").write_text("x = 2\n")
    file = described.folder / "version.yaml"
    file.write_text(file.read_text().replace("1.0.0", "1.0.1"))
    for options in (["--dry-run"], []):
        done = backstay("register", file, *options)
        assert f"code: commit {described.head[:12]} + uncommitted changes\n" in done.out
    for command in ("show", "trace"):
        assert f"{described.head} + uncommitted changes" in backstay(command, "m@1.0.1").out
        assert "uncommitted" not in backstay(command, "m@1.0.0").out


def test_the_same_number_with_other_content_is_told_what_differs(backstay, described, releases):
    backstay("register", described.folder / "version.yaml", "--no-git")
    releases.describe("1.0.0", code={"preprocessing": ["features.py"]}, config={"lr": 0.5}, environment={"os": "Plan 9"})
    refused = backstay("register", described.folder / "version.yaml", "--no-git", code=5).err
    assert "What differs: " in refused and "config lr (" in refused and "-> Plan 9)" in refused


def test_what_version_yaml_says_wins_and_another_commit_is_a_warning(backstay, described, releases):
    (described.folder / "features.py").write_text("x = 2\n")
    releases.describe("1.0.0", code={"commit": "0a1b2c3", "repository": "elsewhere"})
    done = backstay("register", described.folder / "version.yaml")
    assert "warning: version.yaml says commit 0a1b2c3" in done.err
    assert code_of(backstay) == {"commit": "0a1b2c3", "repository": "elsewhere"}


def test_no_git_records_nothing(backstay, described):
    registered = backstay("register", described.folder / "version.yaml", "--no-git", "--json").json
    assert "code (commit)" in registered["missing"]
    assert "commit" not in code_of(backstay)


def test_data_directory_and_large_untracked_files_are_not_taken_for_code(backstay, described):
    backstay.environment["BACKSTAY_DATA_DIR"] = str(described.folder / "registry")
    (described.folder / "dump.bin").write_bytes(bytes(2 * 1024 * 1024))
    for _ in range(2):
        done = backstay("register", described.folder / "version.yaml")
        assert "warning: The untracked file dump.bin (larger than 1 MiB) is not recorded" in done.err
    assert "dirty_diff_sha256" not in code_of(backstay)


def test_a_floating_image_is_registered_and_kept_from_production(backstay, releases):
    registered = releases.register("1.0.0", environment={"image": "train:latest"}).json
    assert registered["complete"] is False and registered["missing"] == ["environment (the image's digest)"]
    releases.measure("1.0.0")
    releases.gate("1.0.0", code=6)
    pinned = releases.register("1.0.1", environment={"image": "train@sha256:" + "0" * 64}).json
    assert pinned["complete"] is True


def test_changes_and_profiles_are_kept_from_collection_and_missed_by_fsck(backstay, described, releases):
    (described.folder / "features.py").write_text("x = 2\n")
    (described.folder / "a.csv").write_text("x\n1\n")
    releases.describe("1.0.0", code={}, data=[{"name": "d", "role": "training", "files": "a.csv"}])
    backstay("register", described.folder / "version.yaml")
    manifest = backstay("show", "m@1.0.0", "--json").json["manifest"]
    patch, [slice] = manifest["code"]["dirty_diff_sha256"], manifest["data"][0]["slices"]
    # What nothing refers to is younger than they are: once it is collected, nothing but the references kept them.
    name = hashlib.sha256(b"orphan").hexdigest()
    orphan = backstay.data_dir / "blobs/sha256" / name[:2] / name
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"orphan")
    orphan.chmod(0o444)
    wait_until(lambda: backstay("gc", "--older-than", "0s", "--json").json["blobs"] == 1, "the lease's end")
    assert {patch, slice["profile_sha256"]} <= backstay.blobs()
    assert backstay("fsck", "--json").json["problems"] == []
    for digest in (patch, slice["profile_sha256"]):
        (backstay.data_dir / "blobs/sha256" / digest[:2] / digest).unlink()
    missing = {p["what"].split(" (")[0] for p in backstay("fsck", "--json", code=9).json["problems"]}
    assert missing == {"m@1.0.0: uncommitted changes", "m@1.0.0: profile of d/a.csv"}


def test_a_dry_run_stores_no_changes(backstay, described, releases):
    releases.register("0.9.0", model="other")  # A registry has to be there.
    before = backstay.blobs()
    (described.folder / "features.py").write_text("x = 2\n")
    planned = backstay("register", described.folder / "version.yaml", "--dry-run", "--json").json
    assert backstay.blobs() == before
    assert backstay("register", described.folder / "version.yaml", "--json").json["manifest_sha256"] == planned["manifest_sha256"]
