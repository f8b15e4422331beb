"""What speaks against another IDL for the clients of the running one: in words, for a reload and for a new master."""

from __future__ import annotations

from collections.abc import Sequence

from thriftserver.assignment import Program
from thriftserver.schema.model import Module


def objection(running: Program, modules: Sequence[Module]) -> str:
    """Why these should not be served to the clients of the running IDL; empty: nothing."""
    from thriftserver.schema.compat import breaking  # a start compares with nothing

    broken = breaking(running.modules, modules, running.services)
    if not broken:
        return ""
    lines = "\n  ".join(str(change) for change in broken)
    advice = "keep the wire compatible, or reload with allow_breaking"
    return f"clients of the running IDL would break; {advice}:\n  {lines}"
