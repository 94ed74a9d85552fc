"""Configuration from files beside version.yaml."""

import pytest


@pytest.fixture
def config(backstay, releases):
    def register(files: dict[str, str], code: int = 0, **inline):
        file = releases.describe("1.0.0", config=inline)
        for name, text in files.items():
            (file.parent / name).write_text(text)
        done = backstay("register", file, code=code)
        return done.err if code else backstay("show", "m@1.0.0", "--json").json["manifest"]["config"]

    return register


@pytest.mark.parametrize("name,text", [
    ("params.yaml", "seed: 7\noptimizer: {lr: 0.1, betas: [0.9, 0.99]}\non: true\n"),
    ("params.json", '{"seed": 7, "optimizer": {"lr": 0.1, "betas": [0.9, 0.99]}, "on": true}'),
    ("params.toml", "seed = 7\non = true\n[optimizer]\nlr = 0.1\nbetas = [0.9, 0.99]\n")])
def test_each_format_gives_the_same_keys(config, name, text):
    assert config({name: text}, file=name) == {"seed": "7", "optimizer.lr": "0.1", "optimizer.betas[0]": "0.9",
                                               "optimizer.betas[1]": "0.99", "on": "true"}


def test_inline_wins_then_the_last_file(config):
    got = config({"a.yaml": "x: a\ny: a\nz: a\n", "b.toml": "y = 'b'\nz = 'b'\n"}, file=["a.yaml", "b.toml"], z="inline")
    assert got == {"x": "a", "y": "b", "z": "inline"}


def test_dates_and_infinities_of_toml_are_texts(config):
    assert config({"p.toml": "d = 1979-05-27\nf = inf\n"}, file="p.toml") == {"d": "1979-05-27", "f": "inf"}


def test_what_can_not_be_read_is_refused(config):
    assert "line 2" in config({"p.toml": "a = 1\nb = [\n"}, 2, file="p.toml")
    assert "nested" in config({"p.toml": "a = " + "[" * 100 + "]" * 100}, 2, file="p.toml")
    assert ".toml" in config({"p.ini": "[a]\n"}, 13, file="p.ini")
    assert "no file" in config({}, 3, file="absent.yaml")
    assert "not a map" in config({"p.json": "[1]"}, 2, file="p.json")
    config({"p.toml": "a = " + "[" * 200_000}, 2, file="p.toml")
