"""``thriftserver call`` over TLS: what its options do, and what it says where it cannot."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness import Server, run
from tests.server.services import ARGS, write_demo
from tests.tls.pki import Pki
from thriftserver.cli.tls import TLS
from thriftserver.client.tls import Tls


class At(NamedTuple):
    """A server, and the folder of its files."""

    folder: Path
    port: int


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[At]:
    folder = write_demo(tmp_path_factory.mktemp("commands"))
    pki = Pki(folder)
    pki.issue("client", "billing.example.com")
    both = (folder / "client.pem").read_bytes() + (folder / "client.key").read_bytes()
    (folder / "both.pem").write_bytes(both)
    with Server(*ARGS, *pki.mutual("optional"), "-w", "1", cwd=folder) as server:
        yield At(folder, server.port)


def call(at: At, *options: str, host: str = "localhost") -> tuple[int, str]:
    """The exit code, and what is printed."""
    done = run(at.folder, "call", f"{host}:{at.port}", "add", "[20, 22]", "--idl", "demo.thrift", *options)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("host", "options"),
    [
        ("localhost", "--tls --ca ca.pem"),
        ("localhost", "--ca ca.pem --cert client.pem --key client.key"),
        ("127.0.0.1", "--ca ca.pem --cert both.pem --server-name localhost"),
        ("127.0.0.1", "--insecure"),
    ],
)
def test_a_call(at: At, host: str, options: str) -> None:
    assert call(at, *options.split(), host=host) == (0, "42\n")


@pytest.mark.parametrize(
    ("code", "options", "said"),
    [
        (7, "--tls", "TLS handshake: the server's certificate is refused: self-signed certificate in"),
        (7, "--ca ca.pem --server-name elsewhere.example.com", "certificate is not valid for 'elsewhere.example.com'"),
        (7, "--ca ca.pem --server-name a..b", "TLS handshake: 'a..b' can be nobody's name"),
        (2, "--ca nowhere.pem", "Error: TLS: ca='nowhere.pem': No such file or directory"),
        (2, "--key client.key", "Error: TLS: key= is of no use without cert="),
        (2, "--cert client.pem", "Error: TLS: cert='client.pem': there is no certificate, or no key, in PEM in it"),
        (2, "--insecure --ca ca.pem", "Error: TLS: ca= says whom to trust, and insecure= to trust anybody"),
        (7, "", "Error: add at localhost"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(at: At, code: int, options: str, said: str) -> None:
    ended, printed = call(at, *options.split())
    assert said in printed
    assert ended == code


def test_the_options_are_those_of_a_client() -> None:
    taken = inspect.signature(Tls.__init__).parameters
    assert {name for name, *_ in TLS} - {"tls"} == set(taken) - {"self", "ciphers", "context"}
