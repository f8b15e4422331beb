"""Real shells in which the script of ``thriftserver completion`` was read: what they offer behind a line.

bash and zsh run the function that they would run when Tab is pressed, with what they would tell it; zsh's own
``compadd`` and ``_describe`` are watched. fish has a builtin that completes a line.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.harness import PATIENCE
from tests.support import ROOT, need

BASH = """
eval "$(thriftserver completion bash)"
COMP_LINE={line}
COMP_POINT=${{#COMP_LINE}}
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
compopt() {{ echo "compopt $*"; }}
_thriftserver_completion thriftserver
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

ZSH = """
compdef() {{ :; }}
eval "$(thriftserver completion zsh)"
compadd() {{ local -a group; while [[ $1 != -a ]]; do [[ $1 == -S ]] && shift; shift; done; print -l -- "${{(@P)2}}"; }}
_describe() {{ print -l -- "${{(@P)3}}"; }}
_path_files() {{ print -- "_path_files $*"; }}
words=({words})
CURRENT=${{#words}}
_thriftserver_completion
"""

FISH = """
thriftserver completion fish | source
complete -C {line}
"""


def _run(folder: Path, command: list[str], env: dict[str, str]) -> list[str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def _environment(folder: Path) -> dict[str, str]:
    """With a ``thriftserver`` that is this checkout's, and without anybody's own settings."""
    program = folder / "bin" / "thriftserver"
    if not program.exists():
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m thriftserver "$@"\n')
        program.chmod(0o755)
    path = os.pathsep.join((str(program.parent), os.environ["PATH"]))
    return {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def bash(folder: Path, line: str) -> list[str]:
    """What is left of each word behind the last colon or equal sign, where readline goes on."""
    need(shutil.which("bash"), "bash")
    script = BASH.format(line=shlex.quote(line))
    return _run(folder, ["bash", "--norc", "-c", script], _environment(folder))


def zsh(folder: Path, line: str) -> list[str]:
    """Words, with a colon and what they are behind those that are described."""
    need(shutil.which("zsh"), "zsh (apt install zsh)")
    words = line.split(" ")
    script = ZSH.format(words=" ".join(map(shlex.quote, words)))
    return _run(folder, ["zsh", "-f", "-c", script], _environment(folder))


def fish(folder: Path, line: str) -> list[str]:
    """Words, with a tab and what they are behind them."""
    need(shutil.which("fish"), "fish (apt install fish)")
    script = FISH.format(line=shlex.quote(line))
    return _run(folder, ["fish", "--no-config", "-c", script], _environment(folder))


SHELLS: dict[str, Callable[[Path, str], list[str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
