"""--allow-san: which certificates may connect, and which may call what."""

from __future__ import annotations

import json
import signal
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from hypothesis import given, strategies

from tests.harness import PATIENCE, Server, run
from tests.server.raw import EXCEPTION, ONEWAY, REPLY, Peer, add, field, message, text, version
from tests.server.services import ARGS, HANDLER, write_demo
from tests.tls.pki import WHO, Pki, TlsPeer
from thriftserver.sans import Allowed, closest_scope, rule, split


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path, HANDLER + WHO)


@pytest.fixture
def pki(folder: Path) -> Pki:
    pki = Pki(folder)
    pki.issue("billing", "billing.example.com")
    pki.issue("orders", "orders.example.com")
    return pki


def allow(*rules: str) -> list[str]:
    return [word for each in rules for word in ("--allow-san", each)]


# What patterns match.


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("DNS:a.example.com", ["DNS:a.example.com", "DNS:A.Example.com"], ["DNS:b.example.com", "URI:a.example.com"]),
        ("DNS:a.example.com", [], ["DNS:a-example.com", "DNS:a.example.com.evil.org", "DNS:x.a.example.com", "DNS:"]),
        ("DNS:*.example.com", ["DNS:a.example.com"], ["DNS:a.b.example.com", "DNS:example.com", "DNS:.example.com"]),
        ("DNS:*.example.com", [], ["DNS:evil.org\0.example.com", "DNS:evil\0.example.com", "DNS:a\n.example.com"]),
        ("DNS:api-*.example.com", ["DNS:api-7.example.com"], ["DNS:api-.example.com", "DNS:api-7.b.example.com"]),
        ("DNS:**.example.com", ["DNS:a.b.example.com", "DNS:a.example.com"], ["DNS:example.com"]),
        ("URI:spiffe://d/a", ["URI:spiffe://d/a"], ["URI:spiffe://d/A", "URI:spiffe://d/a/b", "URI:spiffe://d/a\n"]),
        ("URI:spiffe://d/ns/*/sa/x", ["URI:spiffe://d/ns/p/sa/x"], ["URI:spiffe://d/ns/p/q/sa/x"]),
        ("URI:spiffe://d/**", ["URI:spiffe://d/a/b"], ["URI:spiffe://d", "URI:spiffe://d.evil/a", "URI:spiffe://d/"]),
        ("email:*@example.com", ["email:a.b@Example.com"], ["email:a@b@example.com", "email:@example.com"]),
        ("IP:10.0.0.7", ["IP:10.0.0.7"], ["IP:10.0.0.70", "DNS:10.0.0.7", "IP:", "IP:ten"]),
        ("IP:10.0.0.0/8", ["IP:10.1.2.3"], ["IP:11.0.0.1", "IP:0:0:0:0:0:0:0:1"]),
        ("IP:2001:db8::/32", ["IP:2001:DB8:0:0:0:0:0:7"], ["IP:2001:DB9:0:0:0:0:0:7", "IP:10.0.0.7"]),
        ("DNS:a.+", ["DNS:a.+"], ["DNS:a.bb"]),
    ],
)
def test_a_pattern_matches_what_it_says_and_nothing_else(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    allowed = Allowed([rule(pattern)])
    assert [name for name in fits if not allowed.fits([name])] == []
    assert [name for name in fits_not if allowed.fits([name])] == []


@given(strategies.text(), strategies.sampled_from(["DNS", "URI", "email", "IP"]))
def test_a_name_without_a_star_matches_itself_alone(name: str, kind: str) -> None:
    try:
        (_, pattern) = split(rule(f"{kind}:{name}"))
    except ValueError:
        return
    if "*" not in pattern and kind != "IP":
        assert Allowed([pattern]).fits([f"{kind}:{name.strip()}"])
        assert not Allowed([pattern]).fits([f"{kind}:x{name}", f"{kind}:{name}x"])


def test_one_name_and_one_pattern_are_enough_and_none_of_them_is_not() -> None:
    allowed = Allowed(["DNS:a", "DNS:b"])
    assert allowed.fits(["DNS:c", "DNS:b"])
    assert not allowed.fits([])
    assert not Allowed([]).fits(["DNS:a"])


def test_a_rule_is_for_all_or_for_a_service_or_method() -> None:
    rules = [rule(each) for each in ("dns:a", "Demo.add=uri:b?c=d", "Demo=DNS:e", "add=DNS:f", "Demo.add=DNS:g")]
    assert rules[0] == "DNS:a"
    assert closest_scope(rules, [""]) == ["DNS:a"]
    assert closest_scope(rules, ["Demo.add", "add", "Demo"]) == ["URI:b?c=d", "DNS:g"]
    assert closest_scope(rules, ["Demo.pid", "pid", "Demo"]) == ["DNS:e"]
    assert closest_scope(rules, ["Other.pid", "pid", "Other"]) == []


@pytest.mark.parametrize("text", ["billing", "DNS:", "=DNS:a", "CN:a", "DNS:a b", "a b=DNS:a", "IP:*", "IP:1.0.0.0/40"])
def test_what_is_no_rule_is_told_with_how_one_is_written(text: str) -> None:
    with pytest.raises(ValueError, match=r"write (DNS|IP):"):
        rule(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cert-reqs", "none", *allow("DNS:a")], "add --cert-reqs required, or optional"),
        (["--ca-certs", "ca.pem", "--cert-reqs", "required", *allow("Dmo=DNS:a")], "did you mean 'Demo'?"),
        (["--ca-certs", "ca.pem", "--cert-reqs", "required", *allow("nosuch=DNS:a")], "no service or method 'nosuch'"),
        (["--ca-certs", "ca.pem", "--cert-reqs", "required", *allow("billing")], "write DNS:*.example.com"),
    ],
)
def test_rules_that_make_no_sense_are_one_sentence_and_no_server(pki: Pki, options: list[str], said: str) -> None:
    for command in (["run", "--check-config"], ["run", "--bind", "127.0.0.1:0"]):
        ended = run(pki.folder, *command, *ARGS, *pki.options(), *options)
        assert ended.returncode == 2
        assert said in ended.stderr
    assert "--allow-san needs --certfile" in run(pki.folder, "run", *ARGS, *allow("DNS:a")).stderr
    assert "--allow-san needs --certfile" in run(pki.folder, "check", *ARGS, THRIFTSERVER_ALLOW_SAN="DNS:a").stderr


# Who may connect.


def refused(server: Server, context: ssl.SSLContext, count: int) -> dict[str, Any]:
    with suppress(OSError), TlsPeer(server, context) as peer:
        assert peer.ask(message("version")) is None
    said: dict[str, Any] = server.wait("tls_refused", count)
    return said


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_good_certificate_with_another_name_is_refused_with_the_reason(pki: Pki, newest: ssl.TLSVersion) -> None:
    stranger = pki.client("orders")
    stranger.maximum_version = newest
    options = (*pki.mutual(), *allow("DNS:billing.*.com", "URI:spiffe://x/**"), "--admin", "127.0.0.1:0")
    with Server(*ARGS, *options, cwd=pki.folder) as server:
        with TlsPeer(server, pki.client("billing")) as peer:
            said = refused(server, stranger, 1)
            assert said["kind"] == "not_allowed"
            assert "certificate has DNS:orders.example.com, and --allow-san lets none of them in" in said["reason"]
            assert refused(server, pki.client(), 2)["kind"] == "no_certificate"
            assert json.loads(version(peer))["certificate"][2] == ["DNS:billing.example.com"]
            with urlopen(f"http://{server.wait('admin_listening')['addresses'][0]}/metrics", timeout=PATIENCE) as page:
                assert b'thriftserver_tls_refused_total{kind="not_allowed"} 1.0' in page.read()
        assert not server.found("auxiliary_exit")


def test_a_refused_client_reads_the_end_of_tls(pki: Pki) -> None:
    options = (*pki.mutual(), *allow("DNS:billing.example.com"))
    with Server(*ARGS, *options, cwd=pki.folder) as server, TlsPeer(server, pki.client("orders")) as peer:
        assert peer.sock.recv(1) == b""  # a stream that ends without a good-bye is an error


def test_where_a_certificate_is_optional_none_is_let_in_and_another_one_is_not(pki: Pki) -> None:
    with Server(*ARGS, *pki.mutual("optional"), *allow("DNS:billing.example.com"), cwd=pki.folder) as server:
        with TlsPeer(server, pki.client()) as nobody, TlsPeer(server, pki.client("billing")) as billing:
            assert version(nobody)
            assert version(billing)
        assert refused(server, pki.client("orders"), 1)["kind"] == "not_allowed"


def test_a_reload_changes_who_is_let_in(pki: Pki) -> None:
    config = pki.folder / "config.toml"
    config.write_text('allow_san = ["DNS:billing.example.com"]\n')
    context = pki.client("billing")
    with Server(*ARGS, *pki.mutual(), "--config", "config.toml", cwd=pki.folder) as server:
        with TlsPeer(server, context) as before:
            assert version(before)
            session = before.sock.session
            config.write_text('allow_san = ["DNS:orders.example.com"]\n')
            server.signal(signal.SIGHUP)
            server.wait("certificates_loaded", 2)
            assert version(before), "who is in stays"
        assert refused(server, context, 1)["kind"] == "not_allowed"
        with Peer(server) as again, suppress(OSError):
            again.sock = context.wrap_socket(again.sock, server_hostname="localhost", session=session)
            assert again.ask(message("version")) is None
        assert server.wait("tls_refused", 2)["kind"] == "not_allowed"


# Who may call what.


@pytest.mark.parametrize("pure", ["", "1"], ids=["native", "pure"])
def test_a_method_is_for_those_with_its_names(pki: Pki, pure: str) -> None:
    rules = allow("Demo=DNS:*.example.com", "Demo.add=DNS:billing.example.com", "note=DNS:billing.example.com")
    options = (*pki.mutual("optional"), *rules, "--access-log", "all", "--admin", "127.0.0.1:0")
    env = {"THRIFTSERVER_PURE": pure}
    with Server(*ARGS, *options, cwd=pki.folder, env=env) as server:
        with TlsPeer(server, pki.client("billing")) as billing, TlsPeer(server, pki.client("orders")) as orders:
            for peer, kind in ((billing, REPLY), (orders, EXCEPTION), (billing, REPLY), (orders, EXCEPTION)):
                answer = peer.ask(message("add", add(20, 22)))
                assert answer is not None
                assert (answer.kind, answer.name, answer.seqid) == (kind, "add", 7)
            assert answer.message == "add is not for this client"
            said = server.wait("call_forbidden", peer=orders.name)
            assert (said["service"], said["method"]) == ("Demo", "add")
            assert "certificate has DNS:orders.example.com; --allow-san lets DNS:billing" in said["reason"]
            orders.send(message("note", field(11, 1, text("x")) + b"\0", kind=ONEWAY))
            assert version(orders), "another method, and no answer to the oneway"
            assert server.wait("call_forbidden", peer=orders.name, method="note")
            with TlsPeer(server, pki.client()) as nobody:
                answer = nobody.ask(message("version"))
                assert answer is not None
                assert answer.kind == EXCEPTION
                assert "has shown no certificate" in server.wait("call_forbidden", peer=nobody.name)["reason"]
            server.wait("call", 4, outcome="forbidden")
            with urlopen(f"http://{server.wait('admin_listening')['addresses'][0]}/metrics", timeout=PATIENCE) as page:
                counted = [line for line in page.read().decode().splitlines() if 'outcome="forbidden"' in line]
            assert any('method="add"' in line and line.endswith(" 2.0") for line in counted), counted
        assert not server.found("handler_failed")


def test_arguments_of_a_call_that_is_refused_are_not_read(pki: Pki) -> None:
    options = (*pki.mutual(), *allow("add=DNS:billing.example.com"))
    with Server(*ARGS, *options, cwd=pki.folder) as server, TlsPeer(server, pki.client("orders")) as orders:
        answer = orders.ask(message("add", b"\x0bgarbage"))
        assert answer is not None
        assert answer.message == "add is not for this client"
        assert version(orders)


def test_a_peer_that_calls_on_and_on_is_told_of_once_a_second_and_counted_each_time(pki: Pki) -> None:
    options = (*pki.mutual(), *allow("add=DNS:billing.example.com"), "--access-log", "all")
    with Server(*ARGS, *options, cwd=pki.folder) as server, TlsPeer(server, pki.client("orders")) as orders:
        for _ in range(50):
            answer = orders.ask(message("add", add(1, 2)))
            assert answer is not None
            assert answer.kind == EXCEPTION
        server.wait("call", 50, outcome="forbidden")
        assert len(server.found("call_forbidden")) < 50


def test_a_method_with_names_is_for_nobody_without_tls(pki: Pki) -> None:
    options = (*pki.mutual(), *allow("add=DNS:billing.example.com"), "-b", "plain:127.0.0.1:0")
    with Server(*ARGS, *options, cwd=pki.folder) as server, Peer(server) as peer:
        answer = peer.ask(message("add", add(20, 22)))
        assert answer is not None
        assert answer.kind == EXCEPTION
        assert version(peer)
