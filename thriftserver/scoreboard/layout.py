"""Where each number of the scoreboard stands, in 64-bit words; and which bucket a duration falls into.

Plain constants and arithmetic: nothing here maps memory, and nothing here writes.

::

    board   header page | slot 0 (the ledger of dead workers) | slot 1 | slot 2 | ...
    slot    header page | histogram of queue times | calls in flight | names of methods (JSON) | newest errors
            | one page per method
"""

from __future__ import annotations

from typing import Final

from thriftserver.wire import DIALECTS

WORD: Final = 8
#: Words of a page of 4 KiB: every region begins on one, so that what nobody uses is never backed by memory.
PAGE: Final = 512

MAGIC: Final = 0x5448_5246_5342_0001

# The board's header.
BOARD_MAGIC: Final = 0
BOARD_SLOTS: Final = 1
BOARD_CALLS: Final = 2
"""Calls in flight that one slot has room for."""
BOARD_METHODS: Final = 3
"""Methods that one slot has room for; the last one stands for all that follow it."""
BOARD_FOLDS: Final = 4
"""Odd while a dead worker's numbers are moved to the ledger: readers try again."""
BOARD_WALL: Final = 5
"""What to add to a monotonic time to get nanoseconds since 1970."""
BOARD_BORN: Final = 6
"""Monotonic nanoseconds of the server's start."""
BOARD_WANTED: Final = 7
"""Workers that should serve: what is configured, or what somebody has made of it since."""
BOARD_OTHER: Final = 8
"""The pid of another master whose workers take connections from the same hand-off queue; 0: there is none."""

BOARD_LOST_CONNECTIONS: Final = 9
"""Connections that workers held when they died."""
BOARD_LOST_LINES: Final = 10
"""Lines that the log of the master could not take."""
BOARD_TRIAL: Final = 11
"""When the trial of a new generation is over, in monotonic nanoseconds; 0: none is under way."""
BOARD_ROLLBACKS: Final = 12
"""New generations that were found worse than the one before, and given up."""
#: TLS: connections now, handshakes under way, handshakes that were agreed, those of them that went on with an earlier
#: session, and when the first certificate expires (seconds since 1970; 0: there is none).
BOARD_TLS_CONNECTIONS: Final = 16
BOARD_TLS_HANDSHAKES: Final = 17
BOARD_TLS_AGREED: Final = 18
BOARD_TLS_RESUMED: Final = 19
BOARD_TLS_EXPIRY: Final = 20
BOARD_TLS_HEARTBEAT: Final = 21
"""Monotonic nanoseconds of the keeper's last sign of life; 0: there is no keeper."""
BOARD_TLS_REFUSED: Final = 32
"""Handshakes that came to nothing, one counter for each of ``TLS_REFUSALS``."""
#: Why, in the order of the counters.
TLS_REFUSALS: Final = (
    "plain",
    "version",
    "cipher",
    "no_certificate",
    "bad_certificate",
    "refused_ours",
    "slow",
    "hung_up",
    "broken",
    "not_allowed",
    "proxy",
)
#: Registries that the server is to be entered in, those that have it, how often it was entered, and how often one was
#: found to be away or to have forgotten it.
BOARD_REGISTRIES: Final = 48
BOARD_REGISTERED: Final = 49
BOARD_REGISTRATIONS: Final = 50
BOARD_REGISTRY_LOSSES: Final = 51
BOARD_EXITS: Final = 64
"""Workers that have ended, one counter for each of ``EXITS``."""
#: Why a worker has ended, in the order of the counters.
EXITS: Final = (
    "retired",
    "stopped",
    "drain",
    "max_requests",
    "max_rss",
    "hung",
    "overdue",
    "boot_timeout",
    "boot_failed",
    "killed",
    "crashed",
    "exited",
)

# A slot's header: who it is.
PID: Final = 0
GENERATION: Final = 1
STATE: Final = 2
BORN: Final = 3
HEARTBEAT: Final = 4
"""Monotonic nanoseconds of the event loop's last sign of life."""
METHODS: Final = 5
NAMES: Final = 6
"""Bytes of the JSON with the methods' names."""
#: Gauges: what is the case now.
CONNECTIONS: Final = 8
INFLIGHT: Final = 9
QUEUED: Final = 10
THREADS: Final = 11
ERRORS: Final = 12
"""Errors noted so far; the ring holds the newest ``RING`` of them."""
ROOM: Final = 13
"""Connections that the worker holds at most."""
#: Connections by dialect, a gauge each in the order of ``wire.DIALECTS``.
DIALECT: Final = 256
#: Counters that belong to no method, in the order of ``COUNTERS``.
FIRST_COUNTER: Final = 16
#: Those that are strange or unwelcome, with what a person should know of each.
ODDITIES: Final = {
    "unknown_method": "calls of a method that does not exist",
    "bad_message": "messages that are no request",
    "bad_peer": "connections closed because no Thrift can be read on them: other dialects, TLS, HTTP, scanners",
    "read_timeout": "connections closed because a request came too slowly",
    "write_timeout": "connections closed because a reply was not read",
    "idle_timeout": "connections closed because nothing was asked for long",
    "accept_paused": "times that no connection was accepted because the process had no descriptor left",
    "fields_skipped": "fields that the IDL does not have",
    "fields_repeated": "fields that were sent twice",
    "fields_misordered": "fields that were sent out of order",
    "bytes_trailing": "bytes after the end of a message",
    "loop_blocked": "times that a handler kept the event loop from going round",
    "connections_full": "times that no connection was accepted because a worker had --max-connections",
    "proxy_refused": "connections closed because the PROXY protocol's header was missing, broken or too slow",
}
#: Calls by dialect: the counter's name for each.
SPOKEN: Final = {name: f"calls_{name}" for name in DIALECTS}
COUNTERS: Final = (
    *("calls", "accepted", "handed_in", "handed_out", "bytes_in", "bytes_out", "log_lines_lost"),
    *ODDITIES,
    *SPOKEN.values(),
)
#: Word of each counter by its name.
COUNTER: Final = {name: FIRST_COUNTER + place for place, name in enumerate(COUNTERS)}

STATES: Final = ("empty", "booting", "serving", "draining", "gone")
EMPTY, BOOTING, SERVING, DRAINING, GONE = range(len(STATES))

# A call in flight.
CALL_STARTED: Final = 0
"""Monotonic nanoseconds; 0: this record is free. Written last, so that a record in use is complete."""
CALL_METHOD: Final = 1
CALL_SEQID: Final = 2
CALL_BYTES: Final = 3
CALL_RECEIVED: Final = 4
CALL_PEER: Final = 8
PEER_BYTES: Final = 64
CALL: Final = 16

# An error: monotonic nanoseconds when it happened (0: being written), then these.
RING: Final = 32
ERROR_METHOD: Final = 1
ERROR_OUTCOME: Final = 2
ERROR_ID: Final = 3
ERROR_TEXT: Final = 5
ERROR: Final = 32

# A method.
#: How a call may end, in the order of their counters.
OUTCOMES: Final = (
    "success",
    "declared",
    "undeclared",
    "bad_request",
    "bad_result",
    "application",
    "timeout",
    "shed",
    "gone",
    "lost",
    "forbidden",
)
SUCCESS, DECLARED, UNDECLARED, BAD_REQUEST, BAD_RESULT, APPLICATION = range(6)
TIMEOUT, SHED, CLIENT_GONE, LOST, FORBIDDEN = range(6, len(OUTCOMES))
DURATION_SUM: Final = 12
QUEUE_SUM: Final = 13
REQUEST_BYTES: Final = 14
REPLY_BYTES: Final = 15
DECLARED_BY: Final = 16
"""One counter for each declared exception; the last one stands for all that follow it."""
DECLARED_KINDS: Final = 16
HISTOGRAM: Final = 32

#: Buckets: 16 to each doubling, so the middle of one is at most 3.2 % from what fell into it.
BUCKETS: Final = 480
#: Nanoseconds of the finest step, as a shift: 64 ns. The last bucket takes everything from about 9 minutes on.
FINEST: Final = 6


def bucket(nanoseconds: int) -> int:
    """The bucket that a duration falls into."""
    steps = max(nanoseconds, 0) >> FINEST
    shift = max(steps.bit_length() - 5, 0)
    return min(shift * 16 + (steps >> shift), BUCKETS - 1)


def edge(place: int) -> int:
    """The least nanoseconds that fall into a bucket."""
    if place < 32:
        return place << FINEST
    shift = place // 16 - 1
    return (place - shift * 16) << shift << FINEST


def _pages(words: int) -> int:
    return -(-words // PAGE) * PAGE


class Layout:
    """Offsets of one board, in words. ``calls`` and ``methods`` are what one slot has room for."""

    __slots__ = ("calls", "errors", "first_call", "first_method", "methods", "names", "queue", "slot_words", "slots")

    def __init__(self, slots: int, calls: int, methods: int) -> None:
        self.slots = slots
        self.calls = calls
        self.methods = methods
        self.queue = PAGE
        self.first_call = 2 * PAGE
        self.names = self.first_call + _pages(calls * CALL)
        self.errors = self.names + _pages(self.name_bytes // WORD)
        self.first_method = self.errors + _pages(RING * ERROR)
        self.slot_words = self.first_method + methods * PAGE

    @property
    def name_bytes(self) -> int:
        return _pages(self.methods * 64) * WORD

    @property
    def total_words(self) -> int:
        return PAGE + self.slots * self.slot_words

    def slot(self, number: int) -> int:
        """Where a slot begins."""
        return PAGE + number * self.slot_words
