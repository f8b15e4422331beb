"""What README.md and docs/ show: commands and options that exist, links that lead somewhere, code that can be read."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import thriftserver
from tests.docs.pages import PAGES, Block, blocks, prose
from tests.support import ROOT
from thriftserver.cli.main import COMMANDS, cli
from thriftserver.config import ENV_PREFIX, OPTIONS

BLOCKS = [block for page in PAGES for block in blocks(page)]

#: Which test runs the commands that a page shows.
RUN_BY = {
    "README.md": "tests/docs/test_readme.py",
    "canary.md": "tests/docs/test_canary.py",
    "codec.md": "tests/docs/test_commands.py",
    "deploying.md": "tests/fleet/test_deploying.py",
    "discovery.md": "tests/docs/test_discovery.py",
    "dialects.md": "tests/docs/test_dialects.py",
    "hbase.md": "tests/docs/test_hosted.py",
    "migrating.md": "tests/docs/test_migrating.py",
    "observability.md": "tests/docs/test_commands.py",
    "releasing.md": "tests/docs/test_commands.py",
    "scribe.md": "tests/docs/test_hosted.py",
    "spans.md": "tests/docs/test_hosted.py",
    "stubs.md": "tests/docs/test_stubs.py",
    "systemd.md": "tests/systemd/test_page.py",
    "tls.md": "tests/docs/test_tls.py",
    "tools.md": "tests/docs/test_tools.py",
}


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def test_every_page_with_commands_has_a_test_that_runs_them() -> None:
    """With dots in it a command is an outline, of which only the options can be checked."""
    assert {block.page for block in of("sh") if " ... " not in block.text} == set(RUN_BY)
    for page, test in RUN_BY.items():
        assert page.removesuffix(".md").lower() in (ROOT / test).read_text().lower()


def test_blocks_say_what_they_are() -> None:
    assert {block.language for block in BLOCKS} <= {"", "ini", "js", "json", "python", "sh", "thrift", "toml"}


def commands() -> Iterator[tuple[str, str]]:
    """Every command line of ours, in blocks and in the prose, with its place; cut where another program goes on."""
    for block in BLOCKS:
        for line in block.text.replace("\\\n", " ").splitlines():
            for found in re.finditer(r"(?:^|[\s/])thriftserver (?=[a-z-])(.*)", line):
                if block.language in ("sh", ""):
                    yield str(block), found[1]
    for page in PAGES:
        for number, line in prose(page):
            for found in re.finditer(r"`thriftserver ([a-z-][^`]*)`|^ {4}thriftserver (.+)", line):
                yield f"{page.name}:{number}", found[1] or found[2]


def parameters(words: list[str]) -> tuple[click.Command, set[str]]:
    """The command that a line names, and the options that it may have."""
    command: click.Command = cli
    context = click.Context(command)
    options: set[str] = set()
    while True:
        for each in command.get_params(context):
            options |= {*each.opts, *each.secondary_opts}
        if not isinstance(command, click.Group) or not words or not re.fullmatch(r"[a-z]+", words[0]):
            return command, options
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]}"
        command, context = found, click.Context(found, parent=context)
        words = words[1:]


@pytest.mark.parametrize(("place", "line"), [pytest.param(*each, id=each[0]) for each in commands()])
def test_commands_and_their_options_exist(place: str, line: str) -> None:
    line = re.split(r" [|&;]+ | {3,}|[;&]$", line.replace("\\|", "\\ "))[0]
    words = shlex.split(re.sub(r"[\[\]()]|\.\.\.|(?<=[a-z])\\ .*", " ", line), comments=True)
    command, options = parameters([word for word in words if not word.startswith("-")])
    for word in words:
        if word.startswith("-") and word != "-":
            name = word.partition("=")[0]
            assert name in options, f"{place}: {command.name} has no option {name}"


def test_the_commands_were_found() -> None:
    lines = [line for _, line in commands()]
    for start in ("run --idl hello.thrift", "ctl --control PATH", "call 127.0.0.1:9090", "idl dump", "top --admin"):
        assert any(line.startswith(start) for line in lines), start


#: Options in the prose that are another program's.
FOREIGN = {"--update", "--rounds", "--clients", "--gen", "--preload"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_and_variables_in_the_prose_exist(page: Path) -> None:
    known = set(FOREIGN) | {"--help", "--version"}
    for name in (*COMMANDS.keys() - {"idl"}, "idl check", "idl dump", "idl diff", "ctl profile"):
        known |= parameters(name.split())[1]
    variables = {f"{ENV_PREFIX}{row.name.upper()}" for row in OPTIONS} | {"THRIFTSERVER_PURE", "THRIFTSERVER_CONFIG"}
    for number, line in prose(page):
        for code in re.findall(r"`([^`]+)`", line):
            if re.match(r"--?[a-z]", code):
                for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", code):
                    assert name in known or page.name in THEIRS, f"{page.name}:{number}: {name}"
            for name in re.findall(r"THRIFTSERVER_[A-Z_]+(?![A-Z_<*])", code):
                assert name in variables or name == "THRIFTSERVER_PORT", f"{page.name}:{number}: {name}"


#: Pages that put the options of other programs beside ours; their commands are checked all the same.
THEIRS = {"migrating.md", "releasing.md"}


@pytest.mark.parametrize("block", of("python", "thrift", "toml"), ids=str)
def test_code_can_be_read(block: Block) -> None:
    match block.language:
        case "python":
            compile(block.text, str(block), "exec")
        case "toml":
            tomllib.loads(block.text)
        case _:
            thriftserver.load("page.thrift", files={"page.thrift": block.text})


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "bench" / "README.md"], ids=lambda page: page.parent.name + page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for number, line in prose(page):
        for target in re.findall(r"\]\(([^)]+)\)", line):
            if not target.startswith("https://"):
                name, _, anchor = target.partition("#")
                file = (page.parent / name) if name else page
                assert file.exists(), f"{page.name}:{number}: {target}"
                assert not anchor or anchor in anchors(file), f"{page.name}:{number}: {target}"
