"""Run a command of README.md, exactly as it stands there: ``python3 .ci/readme.py run|test``."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def command(name: str) -> str:
    """The shell block behind ``<!-- command: name -->``."""
    found = re.search(rf"<!-- command: {name} -->\n```sh\n(.+?)\n```", README.read_text(), re.DOTALL)
    if not found:
        sys.exit(f"README.md has no command called {name}")
    return found[1]


def serve() -> None:
    """Start the sample service, ask it what README asks, stop it."""
    server = subprocess.Popen(command("run"), shell=True, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert server.stderr is not None
    try:
        for line in server.stderr:
            print(line, end="")
            if line.startswith("{") and json.loads(line)["event"] == "ready":
                break
        else:
            sys.exit(f"README's command ended with {server.wait()} before the service was ready")
        question = re.search(r"^\.venv/bin/thriftserver call .+$", README.read_text(), re.MULTILINE)
        assert question is not None
        answer = float(subprocess.run(question[0], shell=True, check=True, capture_output=True, text=True).stdout)
        assert abs(answer - 355 / 113) < 1e-12, answer
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        rest = server.stderr.read()
        print(rest, end="")
        server.wait()
    assert any(line.startswith("{") and json.loads(line)["event"] == "stopped" for line in rest.splitlines()), rest


if __name__ == "__main__":
    if sys.argv[1] == "run":
        serve()
    else:
        sys.exit(subprocess.run(command(sys.argv[1]), shell=True, check=False).returncode)
