"""uvicorn's HTTP protocol with bounds on what it leaves unbounded: request heads and trailers, and the time for a head.

The application sees a request only once its head is complete, and never sees trailers, so it cannot bound them: a
stranger could fill the memory with an endless header. Bodies are bounded in `body.py`.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD: Final = 64 * 1024  # bytes of a request line with its headers, and of trailers
HEAD_SECONDS: Final = 10.0

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head or trailers grow too large, or whose head takes too long."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too
        """A connection may be silent for as long as a head may take."""
        super().connection_made(transport)
        self._in_head = True
        self._began = self._progress = False
        self._outside_body = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what brings neither a head to its end nor a body forward."""
        self._began = self._progress = False
        super().data_received(data)
        if self._progress:
            self._outside_body = 0
        elif not self._began:  # what came before a head in the same piece is not counted against it
            self._outside_body += len(data)
            if self._outside_body > MAX_HEAD and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._began, self._in_head = True, True
        self._await_head()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._progress, self._in_head = True, False
        self._head_is_here()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A body goes on."""
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._progress = True
        super().on_message_complete()

    def _await_head(self) -> None:
        self._head_is_here()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        if self._in_head and not self.transport.is_closing():
            self.transport.close()
