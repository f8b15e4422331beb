"""Options: where values come from, and what a person is told about bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from thriftserver.errors import ConfigError
from thriftserver.origins import misspelt, resolve
from thriftserver.quantities import duration, size


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("1.5s", 1.5), ("200ms", 0.2), ("2m", 120), ("1h", 3600), (" 5 S ", 5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-1", "5 days", "1e3", "s", "nan"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize(("text", "count"), [("4096", 4096), ("64k", 65536), ("16m", 16 << 20), ("1GiB", 1 << 30)])
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count


def test_precedence_and_origin(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text('workers = 2\nlog-level = "debug"\nbind = ["127.0.0.1:1", "unix:/x"]\nbacklog = 7\n')
    environ = {"THRIFTSERVER_WORKERS": "3", "THRIFTSERVER_LOG_LEVEL": "error", "THRIFTSERVER_IDL": "a.thrift,b.thrift"}
    settings, origins = resolve({"workers": "4", "idl": ()}, str(file), environ)
    assert settings.workers == 4
    assert settings.log_level == "error"
    assert settings.bind == ("127.0.0.1:1", "unix:/x")
    assert settings.idl == ("a.thrift", "b.thrift")
    assert settings.graceful_timeout == 30.0
    assert origins["workers"] == "--workers"
    assert origins["log_level"] == "environment variable THRIFTSERVER_LOG_LEVEL"
    assert origins["backlog"] == f"{file}: backlog"
    assert origins["graceful_timeout"] == "default"


def test_the_customary_variable_counts_after_ours() -> None:
    assert resolve({}, None, {"WEB_CONCURRENCY": "5"})[0].workers == 5
    assert resolve({}, None, {"WEB_CONCURRENCY": "5", "THRIFTSERVER_WORKERS": "6"})[0].workers == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("wrokers = 2", "unknown key 'wrokers'; did you mean 'workers'?"),
        ("workers = 0", "workers: '0' is not a whole number of 1 or more"),
        ("workers = [1]", "workers: [1] is not a single value"),
        ("workers = true", "workers: True is not a single value"),
        ("workers =", "not valid TOML"),
        ("log-level = 'loud'", "'loud' is not one of debug"),
        ("bind = 5", "bind: "),
    ],
)
def test_bad_files(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "t.toml"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        resolve({}, str(file), {})
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration file nowhere\.toml: No such file"):
        resolve({}, "nowhere.toml", {})


def test_misspelt_variables_are_told_from_strange_ones() -> None:
    strange = {"THRIFTSERVER_PORT": "tcp://10.0.0.1:9090", "THRIFTSERVER_SERVICE_HOST": "10.0.0.1", "PATH": "/bin"}
    assert list(misspelt(strange | {"THRIFTSERVER_WORKERS": "2", "THRIFTSERVER_PURE": "1"})) == []
    assert list(misspelt({"THRIFTSERVER_WORKER": "2"})) == [("THRIFTSERVER_WORKER", "THRIFTSERVER_WORKERS")]
