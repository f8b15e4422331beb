"""The admin process on its own, for tests: ``python -m tests.admin.serve JSON`` with inherited descriptors."""

from __future__ import annotations

import json
import socket
import sys

from thriftserver import log
from thriftserver.admin import boot
from thriftserver.assignment import Program
from thriftserver.idl.loader import Loader
from thriftserver.origins import resolve
from thriftserver.rpc.binding import choose_service, split_spec
from thriftserver.scoreboard.board import Board

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    log.configure()
    settings, _ = resolve(asked["settings"], environ={})
    loader = Loader()
    modules = tuple(loader.load(path) for path in settings.idl)
    listener = socket.socket(fileno=asked["listener"])
    served = [choose_service(split_spec(spec)[0] or settings.service, modules) for spec in settings.handler]
    program = Program(settings, loader, modules, tuple(service.name for service in served))
    board = Board.attach(asked["board"])
    given = boot.Equipment(board, program, [listener], asked["lifeline"], asked["addresses"], asked["memory"])
    sys.exit(boot.run(given, lambda _: None))
