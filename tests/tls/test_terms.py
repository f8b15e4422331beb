"""Options and files of TLS: what is wrong with them is one sentence that says which, before anything is served."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.harness import Server, run
from tests.server.services import ARGS
from tests.support import need
from tests.tls.pki import Pki
from thriftserver.config import Settings
from thriftserver.errors import ConfigError
from thriftserver.tls.contexts import Contexts
from thriftserver.tls.terms import Terms, read, require


def made(folder: Path, **options: object) -> Contexts:
    os.chdir(folder)
    settings = Settings(**options)  # type: ignore[arg-type]
    require(settings)
    return Contexts(Terms.decode(read(settings).encode()))


def problem(folder: Path, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        made(folder, **options)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _back(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)  # undone after the test, wherever that has gone


def encrypt(pki: Pki, passphrase: bytes) -> None:
    """Put a passphrase on the server's key."""
    path = pki.folder / "server.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    how = serialization.BestAvailableEncryption(passphrase)
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, how))


SERVER = {"certfile": ("server.pem",), "keyfile": ("server.key",)}


def test_a_pair_is_taken_and_may_stand_in_one_file(pki: Pki) -> None:
    assert made(pki.folder, **SERVER).names == ["localhost"]
    both = (pki.folder / "server.pem").read_bytes() + (pki.folder / "server.key").read_bytes()
    (pki.folder / "both.pem").write_bytes(both)
    assert made(pki.folder, certfile=("both.pem",)).names == ["localhost"]


def test_the_name_that_is_asked_for_chooses_among_several(pki: Pki) -> None:
    pki.issue("other", "other.example.com", "*.wild.example.com")
    files = {"certfile": ("server.pem", "other.pem"), "keyfile": ("server.key", "other.key")}
    contexts = made(pki.folder, **files)
    default, other = contexts.find("localhost"), contexts.find("OTHER.example.com")
    assert default is contexts.default is contexts.find(None) is contexts.find("nobody.example.com")
    assert other is not default
    assert contexts.find("a.wild.example.com") is other
    assert contexts.find("a.b.wild.example.com") is default


@pytest.mark.parametrize("where", ["file", "env"])
def test_a_passphrase_stands_in_a_file_or_a_variable(pki: Pki, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encrypt(pki, b"open sesame")
    (pki.folder / "secret").write_text("open sesame\n")
    monkeypatch.setenv("SECRET", "open sesame")
    source = "file:secret" if where == "file" else "env:SECRET"
    assert made(pki.folder, **SERVER, key_passphrase=source).names == ["localhost"]


def test_a_passphrase_that_is_missing_or_wrong_is_told_and_nobody_is_asked_for_it(pki: Pki) -> None:
    encrypt(pki, b"open sesame")
    (pki.folder / "secret").write_text("shut sesame\n")
    assert "server.key is encrypted; say where its passphrase is: --key-passphrase" in problem(pki.folder, **SERVER)
    said = problem(pki.folder, **SERVER, key_passphrase="file:secret")
    assert said == "--key-passphrase: it does not open the key in server.key"
    assert "no environment variable NOWHERE" in problem(pki.folder, **SERVER, key_passphrase="env:NOWHERE")


def test_a_passphrase_itself_is_never_repeated(pki: Pki) -> None:
    said = problem(pki.folder, **SERVER, key_passphrase="open sesame")
    assert "file:PATH" in said
    assert "sesame" not in said


def test_files_that_are_no_pair_are_told_by_name(pki: Pki) -> None:
    folder = pki.folder
    pki.issue("other", "other.example.com")
    mixed = problem(folder, certfile=("server.pem",), keyfile=("other.key",))
    assert mixed == "--keyfile: the key in other.key does not belong to the certificate in server.pem"
    assert problem(folder, certfile=("server.key",)) == "--certfile: server.key holds no certificate in PEM"
    assert "no private key in PEM in server.pem; give --keyfile" in problem(folder, certfile=("server.pem",))
    assert "cannot read nowhere.pem: No such file" in problem(folder, certfile=("nowhere.pem",))
    (folder / "torn.pem").write_bytes((folder / "server.pem").read_bytes()[:200])
    assert "torn.pem holds no certificate" in problem(folder, certfile=("torn.pem",), keyfile=("server.key",))


def test_options_that_do_not_go_together_are_told_before_a_file_is_read(folder: Path) -> None:
    assert "there are 1 for 2 of --certfile" in problem(folder, certfile=("a", "b"), keyfile=("c",))
    assert "--cert-reqs required needs --ca-certs" in problem(folder, certfile=("a",), cert_reqs="required")
    assert "--ca-certs asks no client" in problem(folder, certfile=("a",), ca_certs="b")
    for options in (
        {"keyfile": ("a",)},
        {"ca_certs": "a"},
        {"ciphers": "a"},
        {"tls": "auto"},
        {"cert_reqs": "optional"},
    ):
        assert "needs --certfile" in problem(folder, **options)


def test_ciphers_and_authorities_that_are_none_are_told(pki: Pki) -> None:
    assert "--ciphers: OpenSSL knows no cipher of 'ROT13'" in problem(pki.folder, **SERVER, ciphers="ROT13")
    said = problem(pki.folder, **SERVER, ca_certs="server.key", cert_reqs="required")
    assert said.startswith("--ca-certs: there are no certificates in PEM in it")


def test_a_certificate_that_no_client_could_use_is_told(pki: Pki) -> None:
    need(shutil.which("openssl"), "openssl (apt install openssl)")
    command = "openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=weak -keyout weak.key -out weak.pem"
    subprocess.run(command.split(), cwd=pki.folder, check=True, capture_output=True)
    assert "key too small" in problem(pki.folder, certfile=("weak.pem",), keyfile=("weak.key",))


def test_a_bad_pair_is_one_sentence_and_no_server(pki: Pki) -> None:
    pki.issue("other", "other.example.com")
    bad = ["--certfile", "server.pem", "--keyfile", "other.key"]
    for how in ([], ["--check-config"]):
        ended = run(pki.folder, "run", *ARGS, *bad, *how, "--bind", "127.0.0.1:0")
        assert ended.returncode == 2
        assert "the key in other.key does not belong to the certificate in server.pem" in ended.stderr
        assert "Traceback" not in ended.stderr
    assert run(pki.folder, "run", *ARGS, *pki.options(), "--check-config").returncode == 0


def test_calls_from_the_admin_page_need_an_address_without_tls(pki: Pki) -> None:
    page = ["--admin", "127.0.0.1:0", "--admin-calls"]
    ended = run(pki.folder, "run", *ARGS, *pki.options(), *page, "--bind", "127.0.0.1:0")
    assert ended.returncode == 2
    assert "--bind plain:127.0.0.1:PORT" in ended.stderr


def test_which_addresses_speak_tls_is_said_at_the_start(pki: Pki) -> None:
    unix = f"unix:{pki.folder}/socket"
    with Server(
        *ARGS, *pki.options(), "-b", "127.0.0.1:0", "-b", "plain:127.0.0.1:0", "-b", unix, cwd=pki.folder
    ) as server:
        told = server.wait("listening")
        assert told["tls"] == told["addresses"][:1]
        assert len(told["addresses"]) == 3
