"""Lock files, images and machines: what a version knows of its environment, and how firmly it is pinned."""

import sys

import pytest

HASH = "a" * 64
PINNED = f"numpy==1.26.4 --hash=sha256:{HASH}\n"


@pytest.fixture
def environment(backstay, releases):
    """environment(files, **keys) registers m@1.0.0 and gives (its environment, the warnings)."""

    def register(files: dict[str, str], *options, **keys):
        file = releases.describe("1.0.0", environment={"lock_files": list(files), **keys})
        for name, text in files.items():
            (file.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (file.parent / name).write_text(text)
        warnings = backstay("register", file, "--json", *options).json["warnings"]
        return backstay("show", "m@1.0.0", "--json").json["manifest"].get("environment", {}), warnings

    return register


def test_hashes_make_it_pinned_and_versions_become_frameworks(environment):
    got, warnings = environment({"requirements.txt": PINNED}, frameworks={"scikit_learn": "1.5"})
    assert got["pinning"] == "pinned" and "findings" not in got and warnings == []
    assert got["frameworks"] == {"numpy": "1.26.4", "scikit_learn": "1.5"}


def test_the_least_pinned_lock_file_counts_and_says_why(environment, backstay):
    got, warnings = environment({"requirements.txt": PINNED, "Dockerfile": "FROM python:3.11\n"})
    assert got["pinning"] == "unpinned"
    assert got["findings"] == ["Dockerfile: the image python:3.11 has no digest"]
    assert warnings == ["The environment is unpinned: Dockerfile: the image python:3.11 has no digest."]
    assert "environment  unpinned\n  ! Dockerfile" in backstay("show", "m@1.0.0").out


def test_an_image_that_floats_is_warned_of_before_weak_lock_files(environment, backstay):
    got, (warning,) = environment({"requirements.txt": "a==1\nb==1\nc==1\nd==1\n", "Dockerfile": "FROM python:3.11\n"},
                                  image="train:latest")
    assert warning == ("The environment is unpinned: the image train:latest has no digest, so its content can change; "
                       "Dockerfile: the image python:3.11 has no digest; requirements.txt: a has no sha256 hash "
                       "(and 3 more; see backstay show).")
    assert "the image train:latest has no digest, so its content can change" in got["findings"]


def test_a_floating_image_is_recorded_beside_any_number_of_findings(environment):
    names = [f"r{i}.txt" for i in range(3)]
    got, _ = environment({name: "".join(f"p{j}\n" for j in range(15)) for name in names}, image="train:latest")
    assert len(got["findings"]) == 20 and "the image train:latest" in got["findings"][-1]


def test_what_is_no_lock_file_is_named_once(environment):
    got, (warning,) = environment({"locks/environment.yml": "dependencies: [numpy]\n"})
    assert got["findings"] == ["locks/environment.yml is no lock file that is understood"]
    assert warning == "The environment is unpinned: locks/environment.yml is no lock file that is understood."


def test_show_has_neither_empty_headers_nor_blanks_at_the_end_of_lines(backstay, releases):
    backstay("register", releases.describe("1.0.0", code={"commit": "0a1b2c3"}), "--no-environment")
    shown = backstay("show", "m@1.0.0").out
    assert "\ncode\n  0a1b2c3\n" in shown and "\nenvironment" not in shown
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_an_included_file_must_be_kept_too(environment):
    got, _ = environment({"req/requirements.txt": PINNED + "-r base.txt\n"})
    assert got["pinning"] == "unpinned" and "includes base.txt" in got["findings"][0]


def test_an_included_file_that_is_kept_is_followed(environment):
    got, _ = environment({"req/requirements.txt": "-r base.txt\n", "req/base.txt": PINNED})
    assert got["pinning"] == "pinned" and got["frameworks"] == {"numpy": "1.26.4"}


def test_an_image_digest_is_strongest(environment):
    got, _ = environment({"requirements.txt": "numpy\n"}, image=f"train@sha256:{HASH}")
    assert got["pinning"] == "pinned" and got["findings"] == ["requirements.txt: numpy has no exact version (==)"]


def test_what_is_no_lock_file_is_unpinned_not_an_error(environment):
    got, _ = environment({"poetry.lock": "[[package"})
    assert got["pinning"] == "unpinned" and "not valid TOML" in got["findings"][0]


def test_a_password_in_a_lock_file_is_a_warning(environment):
    _, warnings = environment({"requirements.txt": "-i https://bob:s3cret@example.org/simple\n" + PINNED})
    assert "requirements.txt holds an address with a password" in warnings[0] and "s3cret" not in warnings[0]


def test_the_machine_is_recorded_unless_told_otherwise(environment):
    got, _ = environment({})
    assert got["os"] and " x " in got["hardware"] and "pinning" not in got


def test_no_environment_records_nothing(environment):
    got, _ = environment({}, "--no-environment")
    assert got == {}


def test_an_interpreters_packages_are_a_lock_file(environment, backstay):
    got, _ = environment({}, "--python", sys.executable)
    assert got["python"] == ".".join(map(str, sys.version_info[:3]))
    assert got["pinning"] == "weak" and got["frameworks"]["pytest"] == pytest.__version__
    assert [file["path"] for file in got["lock_files"]] == ["installed-packages.txt"]
    backstay("checkout", "m@1.0.0", "out")
    text = (backstay.folder / "out/.backstay/lock/installed-packages.txt").read_text()
    assert f"pytest=={pytest.__version__}\n" in text


def test_what_is_no_interpreter_is_refused(backstay, releases):
    assert "Python" in backstay("register", releases.describe("1.0.0"), "--python", "/bin/echo", code=2).err
    backstay("register", releases.describe("1.0.0"), "--python", "/no/such", code=3)
