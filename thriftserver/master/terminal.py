"""Signals that a terminal sends to whoever it has: to a server they say nothing.

WINCH comes when a window is resized, TTIN and TTOU when a process in the background reads from or writes to the
terminal. None says who sent it. So while the master has a terminal it ignores all three, and `ctl` does what they would
do; ignored is also what lets a process in the background write to a terminal with ``tostop``. Without a terminal nobody
sends them but people, and they mean what the documentation says.
"""

from __future__ import annotations

import signal

from thriftserver.log import Logger

#: What terminals send beside people.
SIGNALS = (signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)
#: Seconds between two looks at whether the terminal is still there.
PERIOD = 1.0


def is_there(*, unknown: bool = False) -> bool:
    """Has this process a controlling terminal? It can lose one: the window is closed, the connection breaks."""
    try:
        with open("/proc/self/stat") as file:
            return file.read().rpartition(")")[2].split()[4] != "0"
    except OSError:  # no /proc, or no descriptor to look with
        return unknown


def ignore() -> None:
    """To be called before the first line is written, which would stop a process in the background; and in children."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Terminal:
    """Whether those signals count, in the master. ``due`` is when to look again; infinity: never."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._present = is_there()
        self.due = 0.0 if self._present else float("inf")

    def install(self) -> None:
        """Ignore them, or have them come as all others."""
        if not self._present:
            _count()
            return
        ignore()
        names = [number.name.removeprefix("SIG") for number in SIGNALS]
        advice = "a terminal sends them too: ask with thriftserver ctl (scale, --control)"
        self._log.info("signals_ignored", signals=names, advice=advice)

    def look(self, now: float) -> None:
        """Once the terminal has gone, they count."""
        if now < self.due:
            return
        self.due = now + PERIOD
        if not is_there(unknown=True):
            self._present, self.due = False, float("inf")
            _count()

    def counts(self, number: int) -> bool:
        """Is it for us? Nobody can be sure of one that comes while there is a terminal."""
        return number not in SIGNALS or not is_there(unknown=self._present)


def _count() -> None:
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
