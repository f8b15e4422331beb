"""What a handler's code does to logging, stdout and stderr: the log stays one JSON object to a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.harness import Server
from thriftserver.log.printed import Stream, is_event

IDL = "service Talk { void say(1: string how), i32 count() }\n"
HANDLER = """
import logging, logging.config, sys, traceback, warnings
import structlog
print("while importing")
logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": True,
    "formatters": {"plain": {"format": "PLAIN %(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain"},
        "out": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stdout"},
        "dev": {"class": "logging.FileHandler", "formatter": "plain", "filename": "/dev/stderr"},
        "own": {"class": "logging.FileHandler", "formatter": "plain", "filename": "own.log"},
    },
    "loggers": {"app": {"handlers": ["console", "out"], "level": "INFO"}},
    "root": {"handlers": ["console", "dev", "own"], "level": "INFO"},
})
structlog.configure(processors=[structlog.dev.ConsoleRenderer()], logger_factory=structlog.PrintLoggerFactory())

class Talk:
    def setup(self):
        logging.getLogger("late").addHandler(logging.StreamHandler())
        logging.getLogger("raw").addHandler(logging.StreamHandler(open("/proc/self/fd/2", "w")))

    def say(self, how):
        if how == "logging":
            for name in ("app", "late", "raw", "root"):
                logging.getLogger(name).warning("from %s", name)
        elif how == "force":
            logging.basicConfig(force=True, format="PLAIN %(message)s", level="INFO")
            logging.getLogger("forced").error("failed", exc_info=KeyError("x"))
        elif how == "print":
            print("plain text"); print("two\\nlines"); print("part ", end=""); print("of one", file=sys.stdout)
            print('{"event": "mine", "level": "info"}', file=sys.stderr)
            sys.stdout.buffer.write(b"bytes \\xff\\n"); sys.__stderr__
            structlog.get_logger().info("pretty", key=1)
        elif how == "traceback":
            try:
                1 / 0
            except ZeroDivisionError:
                traceback.print_exc()
        elif how == "last resort":
            logging.getLogger().handlers.clear()
            logging.getLogger("nobody").warning("to nobody")
        else:
            raise ValueError(how)

    def count(self):
        return "three"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("talk")
    (folder / "talk.thrift").write_text(IDL)
    (folder / "talk.py").write_text(HANDLER)
    both = ("sh", "-c", 'exec "$@" >&2', "sh")  # stdout and stderr are one stream, as in many containers
    with Server("--idl", "talk.thrift", "--handler", "talk:Talk", cwd=folder, prefix=both) as running:
        running.folder = folder  # type: ignore[attr-defined]
        yield running
    assert running.other == [], "every line of the log is a JSON object, from the first to the last"


@pytest.fixture
def talk(server: Server) -> Iterator[object]:
    api = thriftserver.load(str(server.folder / "talk.thrift"))  # type: ignore[attr-defined]
    with api.Talk.Client(server.host, server.port, timeout=60) as client:
        yield client


def test_stream_handlers_make_events_and_each_record_is_one(server: Server, talk: object) -> None:
    talk.say("logging")  # type: ignore[attr-defined]
    for name in ("app", "late", "raw", "root"):
        line = server.wait("log", logger=name)
        assert (line["level"], line["message"], line["method"]) == ("warning", f"from {name}", "say")
    talk.say("print")  # type: ignore[attr-defined]  # later than the others
    server.wait("printed", text="plain text")
    assert all(len(server.found("log", logger=name)) == 1 for name in ("app", "late", "raw", "root"))
    assert "PLAIN from app" in (server.folder / "own.log").read_text()  # type: ignore[attr-defined]


def test_what_is_printed_is_a_line_each(server: Server, talk: object) -> None:
    server.wait("printed", text="while importing", stream="stdout")
    talk.say("print")  # type: ignore[attr-defined]
    for text in ("plain text", "two", "lines", "part of one", "bytes \\xff"):
        assert server.wait("printed", text=text)["method"] == "say"
    server.wait("mine")
    server.until(lambda: any("pretty" in each["text"] for each in server.found("printed")), "structlog's own text")
    talk.say("traceback")  # type: ignore[attr-defined]
    server.wait("printed", text="ZeroDivisionError: division by zero", stream="stderr")


def test_basic_config_and_the_last_resort_change_nothing(server: Server, talk: object) -> None:
    talk.say("force")  # type: ignore[attr-defined]
    assert server.wait("log", logger="forced")["error"] == "KeyError: 'x'"
    talk.say("last resort")  # type: ignore[attr-defined]
    server.wait("log", logger="nobody", message="to nobody")


def test_a_result_that_does_not_fit_names_the_handler(server: Server, talk: object) -> None:
    with pytest.raises(thriftserver.ApplicationError, match="internal error, id"):
        talk.count()  # type: ignore[attr-defined]
    line = server.wait("handler_failed", method="count")
    assert line["error"] == "result: expected i32, got str 'three'"
    assert line["handler"].startswith("Talk.count (talk.py:")
    assert "traceback" not in line


def test_people_read_what_is_printed_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "talk.thrift").write_text(IDL)
    (tmp_path / "talk.py").write_text(HANDLER)
    args = ("--idl", "talk.thrift", "--handler", "talk:Talk", "--log-format", "console")
    with Server(*args, cwd=tmp_path, ready=False) as running:
        running.eventually(lambda: any(" ready" in line for line in running.other), "start")
    assert not any("printed" in line for line in running.other)


def test_lines_are_cut_where_they_end() -> None:
    told: list[str] = []
    stream = Stream("stdout", 1, lambda text, _: told.append(text))
    for data in (b"a", b"b\nc\r\n\n  \nd", b"e"):
        assert stream.write(data) == len(data)
    assert told == ["ab", "c"]
    stream.finish()
    stream.finish()
    assert told == ["ab", "c", "de"]
    stream.write(b"x" * 20_000)
    assert told[3:] == ["x" * 20_000], "who prints without end is not kept without end"


@pytest.mark.parametrize(
    ("line", "event"),
    [(b'{"a": 1}', True), (b"{}", True), (b"{", False), (b"[1]", False), (b"text", False), (b'{"a": "\xff"}', False)],
)
def test_what_is_an_event_already(line: bytes, event: bool) -> None:
    assert is_event(line) is event
    assert not is_event(b'{"a":' * 100_000)
    assert json.dumps(event)
