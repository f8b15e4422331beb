"""The keeper from its fork to its exit code: it lives as long as its connections, whatever becomes of its master.

Told to leave (TERM), or without a master, it accepts nothing more; each connection that is there ends when its worker
or its peer ends it, and those that are not agreed upon yet when no worker is left. QUIT ends it at once, USR1 opens the
log anew.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from msgspec import Struct

from thriftserver import log
from thriftserver.errors import ConfigError
from thriftserver.handoff import Handoff
from thriftserver.log import Logger
from thriftserver.tls.keeper import OWN, Keeper
from thriftserver.tls.terms import Terms

_HEARD = (signal.SIGTERM, signal.SIGUSR2, signal.SIGQUIT, signal.SIGUSR1)


class Given(Struct, frozen=True):
    """What the process is given. ``terms`` is a descriptor that they are read from; others come through ``line``.

    ``lifeline`` reads end-of-file when the master is gone.
    """

    listeners: Sequence[socket.socket]
    handoff: Handoff
    words: memoryview
    lifeline: int
    terms: int
    line: socket.socket


def run(given: Given, become: Callable[[Iterable[str]], None]) -> int:
    """Serve to the end; the exit code. Runs in a child process and never raises.

    ``become`` gives up root, once there is nothing left to import.
    """
    logger = Logger().bind(role="keeper", pid=os.getpid())
    try:
        _serve(given, become, logger)
    except BaseException as error:
        logger.exception("keeper_failed", error)
        return 1
    finally:
        log.flush()
    return 0


def _serve(given: Given, become: Callable[[Iterable[str]], None], logger: Logger) -> None:
    log.write_behind()
    given.handoff.only_put()
    terms, descriptors = read_terms(given.terms), _raise_limit()
    if descriptors < 2 * terms.most + OWN:
        advice = f"the keeper has two descriptors for each TLS connection: raise the limit to {2 * terms.most + OWN}"
        logger.warning("descriptor_limit_low", limit=descriptors, max_connections=terms.most, advice=advice)
    keeper = Keeper(given.listeners, given.handoff, given.words, terms, descriptors, logger)
    os.close(given.terms)
    become(())
    told: set[int] = set()
    waking, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in _HEARD:
        signal.signal(number, lambda *_: None)

    def hear() -> None:
        told.update(os.read(waking, 4096))
        if signal.SIGUSR1 in told:
            told.remove(signal.SIGUSR1)
            log.reopen()

    def orphaned() -> None:
        keeper.forget(given.lifeline)
        told.add(signal.SIGTERM)

    keeper.add(waking, hear)
    keeper.add(given.lifeline, orphaned)
    keeper.add(given.line.fileno(), lambda: _renew(keeper, given.line, logger))
    gc.freeze()
    logger.debug("keeper_ready")
    while signal.SIGQUIT not in told:
        if told:
            told.clear()
            keeper.leave()
        if keeper.is_done:
            return
        keeper.turn()


def _raise_limit() -> int:
    """Let this process have as many descriptors as it may; how many that are."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return most if most != resource.RLIM_INFINITY else sys.maxsize
    return soft


def _renew(keeper: Keeper, line: socket.socket, logger: Logger) -> None:
    """The master has other terms."""
    data, descriptors, _, _ = socket.recv_fds(line, 1, 1)
    if not data:  # the master is gone, as the lifeline tells too
        keeper.forget(line.fileno())
        return
    for descriptor in descriptors:
        try:
            terms = read_terms(descriptor)
            if terms != keeper.terms:  # others would end the sessions that clients go on with
                keeper.renew(terms)
        except ConfigError as error:  # the master has had them tried
            logger.error("certificates_refused", reason=str(error))
        finally:
            os.close(descriptor)


def read_terms(descriptor: int) -> Terms:
    """The terms in a file, from its beginning, wherever others have read to."""
    return Terms.decode(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
