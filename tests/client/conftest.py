"""What tests of clients have in common."""

from __future__ import annotations

from tests.client.shells import run, shell

__all__ = ["run", "shell"]
