"""The sample configuration shows every option with its true default, and can be used as it is."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import ROOT
from thriftserver.config import OPTIONS, Settings
from thriftserver.origins import resolve

SAMPLE = ROOT / "conf" / "thriftserver.toml"


def test_the_sample_serves_the_directory() -> None:
    settings, origins = resolve({}, str(SAMPLE), {})
    assert settings.idl == ("idl/directory.thrift",)
    assert settings.handler == ("handlers.directory:Directory",)
    assert {name for name, origin in origins.items() if origin != "default"} == {"idl", "handler", "workers"}


def test_the_sample_shows_every_option_with_its_default(tmp_path: Path) -> None:
    shown = re.sub(r"^# (\w+ = )", r"\1", SAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    path = tmp_path / "shown.toml"
    path.write_text(shown, encoding="utf-8")
    settings, origins = resolve({}, str(path), {})
    assert [name for name, origin in origins.items() if origin == "default"] == []
    defaults = Settings()
    for row in OPTIONS:
        if row.name not in ("idl", "handler", "workers"):
            assert getattr(settings, row.name) == getattr(defaults, row.name), row.name
