"""Every benchmark for a second or two: that it runs and that all replies are right. Its figures mean nothing.

python -m bench.smoke
"""

from __future__ import annotations

import subprocess
import sys

RUNS = (
    ("codec_bench", "--rounds", "2", "--slice-ms", "1"),
    ("codec_bench", "--protocol", "compact", "--rounds", "2", "--slice-ms", "1"),
    ("codec_bench", "--protocol", "tjson", "--rounds", "2", "--slice-ms", "1"),
    ("dialect_bench", "--rounds", "1", "--methods", "ping"),
    ("pieces_bench", "--rounds", "1"),
    ("run_server_bench", "--rounds", "2", "--scale", "0.1"),
    ("client_bench", "--rounds", "2", "--calls", "640"),
    ("relay_bench", "--rounds", "1"),
    ("tls_bench", "--rounds", "1", "--scale", "0.5", "--idle", "100"),
    ("loadtest_bench", "--rounds", "1", "--calls", "2000"),
    ("scale_bench", "--rounds", "1", "--idle", "200", "--seconds", "0.5"),
    ("overload_bench", "--rounds", "1", "--seconds", "0.5"),
)


def main() -> None:
    for name, *options in RUNS:
        subprocess.run([sys.executable, "-m", f"bench.{name}", *options], check=True)


if __name__ == "__main__":
    main()
