"""Tells what its calls were packed in."""

from __future__ import annotations

import structlog

import thriftserver

log = structlog.get_logger()


class Echo:
    def dialect(self) -> str:
        return thriftserver.current_call().dialect

    def headers(self, reply: dict[str, str]) -> dict[str, str]:
        call = thriftserver.current_call()
        call.reply_headers.update(reply)
        return call.headers

    def repeat(self, text: str, times: int) -> str:
        return text * times

    def note(self, text: str) -> None:
        log.info("note", text=text)
