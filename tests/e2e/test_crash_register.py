"""kill -9 while versions are registered: what was acknowledged is there and whole, nothing else is half there."""

import random
import subprocess

from aim import Aim
from program import SANITIZED

ROUNDS = 60
SEED = 20240611


def files_of(number: int) -> dict[str, bytes]:
    content = random.Random(number)
    return {f"part-{i}.bin": content.randbytes(400_000) for i in range(5)}


def check_whole(backstay, version: str, files: dict[str, bytes]) -> None:
    folder = backstay.folder / f"out-{version}"
    backstay("checkout", f"m@{version}", folder)
    for name, content in files.items():
        assert (folder / name).read_bytes() == content


def test_a_killed_registration_is_there_or_not_but_never_half(backstay, releases):
    aim = Aim(SEED, 0.05, spread=(0, 1.5), late_to_early=0.3)  # Most kills before the end, wherever in it.
    releases.register("0.1.0")  # Reading needs a registry, which a first registration may be killed before making.
    acknowledged, killed = {"0.1.0"}, 0
    for number in range(ROUNDS):
        version = f"1.{number}.0"
        process = backstay.start("register", releases.describe(version, files_of(number)), "--json")
        try:
            process.wait(aim.draw())
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate()
        aim.note(process.returncode == 0)
        if process.returncode == 0:
            acknowledged.add(version)
        present = {v["version"] for v in backstay("list", "m", "--json").json}
        assert acknowledged <= present, f"seed {SEED}, round {number}: an acknowledged version is gone"
        backstay("audit", "--verify")
    assert killed >= ROUNDS // 2 and len(acknowledged) > 1, f"{killed} of {ROUNDS} were killed: the aim is bad"

    registered = [e["subject"] for e in backstay.audit() if e["action"] == "version.register"]
    assert sorted(registered) == sorted(f"m@{version}" for version in present)
    for number in range(ROUNDS):
        version = f"1.{number}.0"
        again = backstay("register", backstay.folder / f"m-{version}/version.yaml", "--json").json
        assert again["created"] is (version not in present)
        check_whole(backstay, version, files_of(number))
    assert backstay.temporary_files() == []
    assert len(backstay("list", "m", "--json").json) == ROUNDS + 1
    backstay("audit", "--verify")


def test_two_registrations_of_one_version_at_once_make_one(backstay, releases):
    for number in range(5 if SANITIZED else 10):
        file = releases.describe(f"1.{number}.0", files_of(number))
        processes = [backstay.start("register", file) for _ in range(4)]
        outputs = [process.communicate()[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * 4
        assert sum(output.startswith("registered ") for output in outputs) == 1
    assert len(backstay("list", "m", "--json").json) == number + 1
    backstay("audit", "--verify")
