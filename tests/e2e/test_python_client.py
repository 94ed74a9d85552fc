"""The Python client, built and installed as people do: through the program and over a server."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from program import BIN
from test_capture_code import Repository

CLIENT = pathlib.Path(__file__).parents[2] / "clients/python"

SCRIPT = """
import backstay, sys
with backstay.version("m", "1.0.0", changelog="First.") as v:
    v.log_data("d", "all.csv", by="site")
    v.log_data("held-out", "test/*.csv", role="test")
    v.log_config(file="params.json", seed=7)
    v.log_artifact("model.bin")
    v.log_environment("requirements.txt", image="train@sha256:" + "0" * 64)
    v.log_code("features.py", command="python train.py")
    v.log_metrics({"accuracy": 0.97}, samples=2000, dataset="held-out")
    if "fail" in sys.argv: raise RuntimeError("training failed")
print(v.registered.identity, v.registered.created, list(v.registered.missing))
"""


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """The interpreter of a fresh virtual environment with the client's wheel in it, made without a network."""
    folder = tmp_path_factory.mktemp("client")
    source = shutil.copytree(CLIENT, folder / "source")  # Builds leave files behind.
    offline = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", folder, source],
                   check=True, env=offline)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", *folder.glob("*.whl")], check=True, env=offline)
    return python


@pytest.fixture
def training(backstay, client):
    """A folder with what SCRIPT names; training(environment, *arguments) runs it there."""
    folder = backstay.folder / "training"
    for name, text in {"all.csv": 'id,site,note\n1,a,"x ""y"""\n2,b,é\n3,a,\n', "test/t.csv": "id\n9\n",
                       "params.json": '{"optimizer": {"lr": 0.1}, "seed": 1}', "model.bin": "weights",
                       "requirements.txt": "numpy==1.26.4\n", "features.py": "x = 1\n", "train.py": SCRIPT}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    repository = Repository(folder)
    repository.git("remote", "add", "origin", "https://bob:secret@example.org/m.git")
    repository.head = repository.commit()
    (folder / "features.py").write_text("x = 2\n")

    def run(environment: dict[str, str], *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("BACKSTAY_")}
        done = subprocess.run([client, "train.py", *arguments], cwd=folder, text=True, capture_output=True,
                              env={**clean, "BACKSTAY_ACTOR": "trainer", **environment})
        assert not check or done.returncode == 0, done.stderr
        return done

    run.head = repository.head
    run.folder = folder
    return run


def test_it_is_typed_strictly(tmp_path):
    subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", CLIENT / "src"], check=True)


def serve(server):
    return server({"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": "http://127.0.0.1:9"}}]})


def by_program(backstay) -> dict[str, str]:
    return {"BACKSTAY_BIN": str(BIN), "BACKSTAY_DATA_DIR": str(backstay.data_dir)}


def check_registered(backstay, training) -> dict:
    shown = backstay("show", "m@1.0.0", "--json").json
    manifest = shown["manifest"]
    assert shown["missing"] == [] and shown["registered_by"] == "trainer"
    assert manifest["code"]["commit"] == training.head
    assert manifest["code"]["repository"] == "https://example.org/m.git"
    assert manifest["code"]["command"] == "python train.py" and manifest["code"]["dirty_diff_sha256"]
    assert manifest["config"] == {"seed": "7", "optimizer.lr": "0.1"}
    assert manifest["environment"]["python"].startswith("3.")
    assert manifest["environment"]["frameworks"]["backstay"] == "0.1.0"
    assert [card["metrics"][0]["value"] for card in shown["scorecards"]] == [0.97]
    states = backstay("slice", "verify", "m@1.0.0", "--folder", training.folder, "--json").json
    assert {(s["slice"], s["state"]) for s in states} == {("a", "same"), ("b", "same"), ("t.csv", "same")}
    return manifest


def test_through_the_program(backstay, training):
    out = training(by_program(backstay)).stdout
    assert out.endswith("True []\n")
    check_registered(backstay, training)


def test_over_a_server(backstay, training, server):
    running = serve(server)
    environment = {"BACKSTAY_URL": f"http://{running.addresses['control']}", "BACKSTAY_TOKEN": running.token}
    out = training(environment).stdout
    assert out.endswith("True []\n")
    check_registered(backstay, training)
    again = training(environment).stdout
    assert again.split()[0] == out.split()[0] and again.split()[1] == "False"


def test_both_ways_give_the_same_digests_of_data_and_artifacts(backstay, training, server, tmp_path):
    training(by_program(backstay))
    one = check_registered(backstay, training)
    backstay.data_dir = tmp_path / "other"
    backstay.environment["BACKSTAY_DATA_DIR"] = str(backstay.data_dir)
    running = serve(server)
    training({"BACKSTAY_URL": f"http://{running.addresses['control']}", "BACKSTAY_TOKEN": running.token})
    two = check_registered(backstay, training)
    assert one["artifacts"] == two["artifacts"]
    digests = [[(s["name"], s["sha256"], s["sources"], s.get("rule")) for d in m["data"] for s in d["slices"]]
               for m in (one, two)]
    assert digests[0] == digests[1]


def test_an_exception_registers_nothing(backstay, training):
    done = training(by_program(backstay), "fail", check=False)
    assert "RuntimeError: training failed" in done.stderr
    assert not (backstay.data_dir / "registry.db").exists()


def test_failures_say_what_and_what_to_do(backstay, training, server):
    absent = training({"BACKSTAY_BIN": "/no/such", "PATH": "/usr/bin:/bin"}, check=False)
    assert "BackstayError" in absent.stderr and "BACKSTAY_BIN" in absent.stderr
    running = serve(server)
    url = f"http://{running.addresses['control']}"
    wrong = training({"BACKSTAY_URL": url, "BACKSTAY_TOKEN": "wrong"}, check=False)
    assert "BackstayError: The token is missing or wrong." in wrong.stderr
    nobody = training({"BACKSTAY_URL": "http://127.0.0.1:1", "BACKSTAY_TOKEN": "x"}, check=False)
    assert "can't be reached" in nobody.stderr
    training({"BACKSTAY_URL": url, "BACKSTAY_TOKEN": running.token})
    (training.folder / "model.bin").write_text("other weights")
    used = training({"BACKSTAY_URL": url, "BACKSTAY_TOKEN": running.token}, check=False)
    assert "BackstayError" in used.stderr and "m@1.0.0" in used.stderr
