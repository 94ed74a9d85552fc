"""Fixtures of the end-to-end tests: the program, versions to work with, servers, and backends in this process."""

import pytest

from backend import Backend
from program import Program, Server
from release import Releases
from released import Released


@pytest.fixture
def backstay(tmp_path) -> Program:
    """The command line program on a data directory of this test's own."""
    return Program(tmp_path)


@pytest.fixture
def releases(backstay) -> Releases:
    """Makes, registers and gates versions."""
    return Releases(backstay)


@pytest.fixture
def server(backstay):
    """server(config) starts one; what still runs at the end must stop with exit code 0."""
    started: list[Server] = []

    def start(config: dict) -> Server:
        started.append(Server(backstay, config))
        return started[-1]

    yield start
    for each in started:
        if each.running:
            each.stop()


@pytest.fixture
def backend():
    """backend(name) starts an HTTP server in this process whose behaviour the test sets."""
    started: list[Backend] = []

    def start(name: str) -> Backend:
        started.append(Backend(name))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def released(backstay, releases, server, backend):
    """released(**endpoint): 1.0.0 serves on url backends; the keys go into the endpoint's configuration."""
    return lambda **endpoint: Released(backstay, releases, server, backend, endpoint)
