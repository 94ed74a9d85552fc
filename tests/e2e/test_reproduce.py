"""A version's environment compared and built again, and a whole version reproduced in a folder."""

import hashlib
import json
import shutil
import subprocess
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from program import BIN
from test_capture_code import Repository
from tiny_wheel import make_wheel

HASH = "a" * 64
EVIL = "x'; touch ran #\n$(touch ran)`touch ran`"


def check_bill(path) -> dict:
    text = path.read_text()
    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert errors is None, errors
    return json.loads(text)


def test_verify_says_what_differs(backstay, releases):
    releases.register("1.0.0", environment={"os": "Plan 9", "python": "2.7.1", "frameworks": {"PyTest": "0.1", "gone": "1"}})
    got = backstay("env", "verify", "m@1.0.0", "--python", sys.executable, "--json", code=10).json
    here = {d["what"]: (d["recorded"], d["here"]) for d in got["differences"]}
    assert here["PyTest"] == ("0.1", pytest.__version__) and here["gone"] == ("1", "")
    assert here["python"] == ("2.7.1", ".".join(map(str, sys.version_info[:3]))) and here["system"][0] == "Plan 9"
    assert got["same"] == ["hardware"]
    # A difference is an answer, not an error: it is printed on standard output.
    shown = subprocess.run([BIN / "backstay", "env", "verify", "m@1.0.0", "--python", sys.executable], text=True,
                           env=backstay.environment, capture_output=True)
    assert shown.returncode == 10 and "(none)" in shown.stdout and shown.stderr == ""


def test_verify_finds_the_same_machine_the_same(backstay, releases):
    backstay("register", releases.describe("1.0.0"), "--python", sys.executable)
    got = backstay("env", "verify", "m@1.0.0", "--python", sys.executable, "--json").json
    assert got["differences"] == [] and {"system", "hardware", "python", "pytest"} <= set(got["same"])
    # Packages that nobody looked at are not the same.
    unasked = backstay("env", "verify", "m@1.0.0", "--json", code=10).json
    assert unasked["differences"] == [] and "python and packages: give --python, or --no-packages" in unasked["not_compared"]
    backstay("env", "verify", "m@1.0.0", "--no-packages")
    backstay("env", "verify", "m@1.0.0", "--no-packages", "--python", sys.executable, code=2)
    releases.register("1.0.1")
    backstay("env", "verify", "m@1.0.1")


def test_build_writes_a_pinned_dockerfile_and_a_valid_bill_of_materials(backstay, releases):
    releases.register("0.9.0", model="base")
    file = releases.describe("1.0.0", environment={"lock_files": ["requirements.txt"], "image": f"train@sha256:{HASH}"},
                             parents=["base@0.9.0"], external_parents=["hf://google-bert/bert@1"], signature={"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 30]}]})
    (file.parent / "requirements.txt").write_text(f"numpy==1.26.4 --hash=sha256:{HASH}\n")
    backstay("register", file)
    built = backstay("env", "build", "m@1.0.0", "--to", "out", "--json").json
    assert built["notes"] == [] and set(built["files"]) == {"Dockerfile", "lock/requirements.txt", "sbom.cdx.json"}
    dockerfile = (backstay.folder / "out/Dockerfile").read_text()
    assert f"\nFROM train@sha256:{HASH}\n" in dockerfile
    assert '"--require-hashes","-r","lock/requirements.txt"' in dockerfile
    bill = check_bill(backstay.folder / "out/sbom.cdx.json")
    model = bill["metadata"]["component"]
    assert model["type"] == "machine-learning-model" and model["modelCard"]["modelParameters"]["datasets"]
    assert [a["name"] for a in model["pedigree"]["ancestors"]] == ["base", "hf://google-bert/bert@1"]
    assert "pkg:pypi/numpy@1.26.4" in {c.get("purl") for c in bill["components"]}
    weights = hashlib.sha256(b"weights of 1.0.0").hexdigest()
    assert weights in {c["hashes"][0]["content"] for c in bill["components"] if c["type"] == "file"}
    assert "exists already" in backstay("env", "build", "m@1.0.0", "--to", "out", code=5).err


def test_build_says_what_it_can_not_pin(backstay, releases):
    releases.register("1.0.0", environment={"frameworks": {"numpy": "1.26.4"}, "python": "3.11.2"})
    built = backstay("env", "build", "m@1.0.0", "--to", "out", "--json").json
    assert len(built["notes"]) == 2
    assert "FROM python:3.11.2-slim" in (backstay.folder / "out/Dockerfile").read_text()
    assert "numpy==1.26.4\n" in (backstay.folder / "out/requirements.txt").read_text()


def test_hostile_names_reach_neither_docker_nor_a_shell(backstay, releases):
    releases.register("1.0.0", code={"commit": "0a1b2c3", "repository": EVIL, "command": EVIL},
                      environment={"frameworks": {"a\nRUN touch": "1"}, "python": "3\nRUN touch ran"}, config={EVIL: EVIL},
                      changelog=EVIL)
    backstay("reproduce", "m@1.0.0", "--to", "out", "--json", code=10)
    check_bill(backstay.folder / "out/environment/sbom.cdx.json")
    assert not (backstay.folder / "out/environment/Dockerfile").exists(), "what is no version of Python names no image"
    assert "RUN touch" not in (backstay.folder / "out/environment/requirements.txt").read_text()
    assert "is no image" in backstay("env", "build", "m@1.0.0", "--to", "more", "--image", "x\nRUN touch ran", code=2).err
    script = backstay.folder / "out/reproduce.sh"
    harmless = script.read_text().replace("(cd code && sh -c ", "(true ")
    subprocess.run(["sh", "-c", "backstay() { :; }; env() { :; }; git() { :; }; python3() { :; }; venv() { :; };"
                    + harmless.replace("'python3'", "true").replace("'venv/bin/python'", "true").replace("'env'", "true")
                    .replace("'git'", "true")], cwd=backstay.folder / "out", check=True)
    assert not list(backstay.folder.rglob("ran"))


@pytest.fixture
def wheels(tmp_path):
    wheel, digest = make_wheel(tmp_path / "wheels", "tiny", "1.0")
    return f"--no-index\n--find-links {wheel.parent}\ntiny==1.0 --hash=sha256:{digest}\n"


def test_a_virtual_environment_is_made_with_hashes_checked(backstay, releases, wheels):
    file = releases.describe("1.0.0", environment={"lock_files": ["requirements.txt"]})
    (file.parent / "requirements.txt").write_text(wheels)
    backstay("register", file)
    backstay("env", "build", "m@1.0.0", "--to", "out", "--venv", "--python", sys.executable)
    python = backstay.folder / "out/venv/bin/python"
    assert subprocess.check_output([python, "-c", "import tiny; print(tiny.version)"], text=True) == "1.0\n"
    make_wheel(backstay.folder / "wheels", "tiny", "1.0")  # The same name ...
    with open(next((backstay.folder / "wheels").glob("*.whl")), "ab") as wheel:
        wheel.write(b"changed")  # ... with other content.
    refused = backstay("env", "build", "m@1.0.0", "--to", "again", "--venv", "--python", sys.executable, code=10)
    assert "hash" in refused.err.lower()


def test_without_an_interpreter_there_is_no_image_that_floats(backstay, releases):
    releases.register("1.0.0", environment={"frameworks": {"numpy": "1.26.4"}, "python": "3.11"})
    built = backstay("env", "build", "m@1.0.0", "--to", "out", "--json").json
    assert "Dockerfile" not in built["files"] and not (backstay.folder / "out/Dockerfile").exists()
    assert any("neither an image's digest nor its interpreter" in note and "--image" in note for note in built["notes"])
    image = f"python:3.11.2-slim@sha256:{HASH}"
    backstay("env", "build", "m@1.0.0", "--to", "named", "--image", image)
    assert f"\nFROM {image}\n" in (backstay.folder / "named/Dockerfile").read_text()
    floats = backstay("env", "build", "m@1.0.0", "--to", "floats", "--image", "python:3.11", "--json").json["notes"]
    assert "The image python:3.11 has no digest (@sha256:), so its content can change." in floats


def with_lock(backstay, releases, name: str, text: str, **environment):
    file = releases.describe("1.0.0", environment={"lock_files": [name], **environment})
    (file.parent / name).write_text(text)
    backstay("register", file)


@pytest.mark.parametrize("lock", ["uv.lock", "poetry.lock"])
def test_hashes_of_a_projects_lock_are_checked_when_it_is_installed(backstay, releases, tmp_path, lock):
    wheel, digest = make_wheel(tmp_path / "wheels", "tiny", "1.0")
    files = "wheels" if lock == "uv.lock" else "files"
    entry = '[[package]]\nname = "{0}"\nversion = "1.0"\n' + files + ' = [{{ file = "f", hash = "sha256:{1}" }}]\n'
    text = entry.format("tiny", digest)
    if lock == "uv.lock":  # Not for this machine: the condition is on the edge.
        text += ('[[package]]\nname = "me"\nsource = { virtual = "." }\ndependencies = [{ name = "tiny" },'
                 ' { name = "windows-only", marker = "sys_platform == \'win32\'" }]\n')
        text += entry.format("windows-only", HASH)
    else:
        text += entry.format("windows-only", HASH) + "markers = \"sys_platform == 'win32'\"\n"
    with_lock(backstay, releases, lock, text, python="3.11.2")
    backstay.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    built = backstay("env", "build", "m@1.0.0", "--to", "out", "--venv", "--python", sys.executable, "--json").json
    assert not any("has no hashes" in note for note in built["notes"])
    assert f"tiny==1.0 \\\n    --hash=sha256:{digest}\n" in (backstay.folder / "out/requirements.txt").read_text()
    assert '"--require-hashes","--no-deps","-r","requirements.txt"' in (backstay.folder / "out/Dockerfile").read_text()
    python = backstay.folder / "out/venv/bin/python"
    assert subprocess.check_output([python, "-c", "import tiny; print(tiny.version)"], text=True) == "1.0\n"
    with open(wheel, "ab") as changed:
        changed.write(b"changed")
    refused = backstay("env", "build", "m@1.0.0", "--to", "again", "--venv", "--python", sys.executable, code=10)
    assert "hash" in refused.err.lower()


CONDA = """version: 1
package:
- {name: zlib, version: 1.2.13, manager: conda, platform: linux-64, hash: {sha256: HASH}URL}
- {name: tiny, version: '1.0', manager: pip, platform: linux-64, hash: {sha256: HASH}}
""".replace("HASH", HASH)
ZLIB = "https://conda.anaconda.org/conda-forge/linux-64/zlib-1.2.13-h166bdaf_4.conda"


def test_conda_installs_what_conda_installed(backstay, releases, tmp_path):
    with_lock(backstay, releases, "conda-lock.yml", CONDA.replace("URL", f", url: '{ZLIB}'"))
    backstay("env", "build", "m@1.0.0", "--to", "out")
    out = backstay.folder / "out"
    assert (out / "conda-linux-64.txt").read_text() == f"# platform: linux-64\n@EXPLICIT\n{ZLIB}#sha256:{HASH}\n"
    assert "zlib" not in (out / "requirements.txt").read_text() and "tiny==1.0" in (out / "requirements.txt").read_text()
    dockerfile = (out / "Dockerfile").read_text()
    assert '"micromamba","create"' in dockerfile and '"conda-linux-64.txt"' in dockerfile
    assert '"/opt/env/bin/python","-m","pip","install","--no-cache-dir","--require-hashes"' in dockerfile
    # The environment is micromamba's: this one makes a folder with an interpreter that says what it is asked.
    program = tmp_path / "bin/micromamba"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nmkdir -p conda/bin\necho "$@" > conda/made\n'
                       'printf "#!/bin/sh\\necho \\$@ > conda/installed\n" > conda/bin/python\nchmod +x conda/bin/python\n')
    program.chmod(0o755)
    backstay.environment["PATH"] = f"{program.parent}:{backstay.environment['PATH']}"
    assert "made/conda" in backstay("env", "build", "m@1.0.0", "--to", "made", "--venv").out
    assert (backstay.folder / "made/conda/made").read_text().endswith("--prefix conda --file conda-linux-64.txt\n")
    assert "--require-hashes --no-deps -r requirements.txt" in (backstay.folder / "made/conda/installed").read_text()


def test_conda_packages_that_can_not_be_found_again_are_not_looked_for_on_pypi(backstay, releases):
    with_lock(backstay, releases, "conda-lock.yml", CONDA.replace("URL", ""))
    built = backstay("env", "build", "m@1.0.0", "--to", "out", "--json").json
    assert set(built["files"]) == {"lock/conda-lock.yml", "sbom.cdx.json"}
    assert "zlib (without an address)" in built["notes"][0] and "pip is not asked" in built["notes"][0]
    assert "zlib" in backstay("env", "build", "m@1.0.0", "--to", "again", "--venv", code=10).err
    assert not (backstay.folder / "again").exists()
    done = backstay("reproduce", "m@1.0.0", "--to", "whole", "--json", code=10)
    assert states(done)["environment"] == "missing"
    assert "pip" not in (backstay.folder / "whole/reproduce.sh").read_text().replace("pip is not asked", "")


@pytest.fixture
def made(backstay, releases, tmp_path):
    """A version from a work tree with an uncommitted change, data and a lock file."""
    file = releases.describe("1.0.0", code={"command": "python train.py"}, data=[
        {"name": "d", "role": "training", "files": "all.csv", "by": "site"},
        {"name": "t", "role": "test", "slices": [{"name": "elsewhere", "sha256": HASH}]}],
        environment={"lock_files": ["requirements.txt"]})
    folder = file.parent
    (folder / ".gitignore").write_text("files/\nversion.yaml\nall.csv\n")
    (folder / "train.py").write_text("a = 1\n")
    (folder / "requirements.txt").write_text(f"numpy==1.26.4 --hash=sha256:{HASH}\n")
    repository = Repository(folder)
    repository.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    repository.commit()
    repository.git("clone", "-q", "--bare", ".", str(tmp_path / "origin.git"))
    (folder / "train.py").write_text("a = 2\n")
    (folder / "all.csv").write_text("id,site\n1,a\n2,b\n")
    backstay("register", file)
    return folder


def states(done) -> dict[str, str]:
    return {part["what"]: part["state"] for part in done.json["parts"]}


def test_everything_is_restored_in_one_folder(backstay, made):
    done = backstay("reproduce", "m@1.0.0", "--to", "again", "--data", made, "--json", code=10)
    assert states(done) == {"model": "verified", "code": "verified", "uncommitted changes": "verified",
                            "data d/a": "verified", "data d/b": "verified", "data t/elsewhere": "missing",
                            "environment": "restored"}
    again = backstay.folder / "again"
    assert (again / "code/train.py").read_text() == "a = 2\n"
    assert (again / "data/all.csv").read_text() == "id,site\n1,a\n2,b\n"
    assert (again / "model/weights.bin").read_bytes() == b"weights of 1.0.0"
    check_bill(again / "environment/sbom.cdx.json")
    script = (again / "reproduce.sh").read_text()
    assert "'checkout' '--quiet' '--detach'" in script and "(cd code && sh -c 'python train.py')" in script
    # The script does the same in another folder, which is empty.
    by_hand = backstay.folder / "by hand"
    by_hand.mkdir()
    lines = [line for line in script.splitlines() if "'venv" not in line]  # Packages are not there to be installed.
    (again / "reproduce.sh").write_text("\n".join(lines).replace("python train.py", "touch trained") + "\n")
    subprocess.run(["sh", again / "reproduce.sh"], cwd=by_hand, check=True,
                   env={**backstay.environment, "PATH": f"{BIN}:{backstay.environment['PATH']}"})
    assert (by_hand / "code/train.py").read_text() == "a = 2\n" and (by_hand / "code/trained").exists()
    assert (by_hand / "data/all.csv").exists() and (by_hand / "environment/sbom.cdx.json").exists()
    assert (by_hand / "model/weights.bin").read_bytes() == b"weights of 1.0.0"
    assert "data d/a: **verified**" in (again / "README.md").read_text()
    assert "exists already" in backstay("reproduce", "m@1.0.0", "--to", "again", code=5).err


def test_the_recorded_command_runs_in_the_environment_that_was_made(backstay, made, tmp_path):
    """Where there is no `python` on the PATH, and another environment with other packages is active."""
    backstay("reproduce", "m@1.0.0", "--to", "again", "--data", made, "--json", code=10)
    script = backstay.folder / "again/reproduce.sh"
    text = "\n".join(line for line in script.read_text().splitlines() if "'pip'" not in line)  # They are not there.
    script.write_text(text.replace("python train.py", "python ../probe.py") + "\n")
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("sh", "git", "env", "dirname", "cp", "python3"):
        (plain / name).symlink_to(sys.executable if name == "python3" else shutil.which(name))
    (plain / "backstay").symlink_to(BIN / "backstay")
    (tmp_path / "active/other.py").parent.mkdir()
    (tmp_path / "active/other.py").write_text("")
    by_hand = backstay.folder / "by hand"
    by_hand.mkdir()
    (by_hand / "probe.py").write_text("import importlib.util, json, sys\njson.dump([sys.prefix, "
                                      "[importlib.util.find_spec(m) is not None for m in ('other', 'pytest')]], "
                                      "open('../seen.json', 'w'))\n")
    subprocess.run(["sh", script], cwd=by_hand, check=True,
                   env={**backstay.environment, "PATH": str(plain), "PYTHONPATH": str(tmp_path / "active"),
                        "VIRTUAL_ENV": str(tmp_path / "active")})
    assert json.loads((by_hand / "seen.json").read_text()) == [str(by_hand / "environment/venv"), [False, False]]


def test_changed_data_is_found_and_missing_code_does_not_stop_the_rest(backstay, made, tmp_path):
    (made / "all.csv").write_text("id,site\n1,a\n2,b\n3,b\n")
    done = backstay("reproduce", "m@1.0.0", "--to", "again", "--data", made, "--repository", tmp_path / "nowhere",
                    "--link", "--json", code=9)
    got = states(done)
    assert got["data d/a"] == "verified" and got["data d/b"] == "changed" and got["code"] == "missing"
    assert got["uncommitted changes"] == "restored" and (backstay.folder / "again/uncommitted.patch").exists()
    assert (backstay.folder / "again/data/all.csv").stat().st_ino == (made / "all.csv").stat().st_ino


def test_a_repository_can_not_name_a_command(backstay, releases, tmp_path):
    releases.register("1.0.0", code={"commit": "0a1b2c3", "repository": f"ext::sh -c touch% {tmp_path}/ran"})
    assert states(backstay("reproduce", "m@1.0.0", "--to", "again", "--json", code=10))["code"] == "missing"
    releases.register("1.0.1", code={"commit": "0a1b2c3", "repository": f"--upload-pack=touch {tmp_path}/ran"})
    assert states(backstay("reproduce", "m@1.0.1", "--to", "more", "--json", code=10))["code"] == "missing"
    assert not (tmp_path / "ran").exists()
