"""Many requests at once over real HTTP: every connection stands before the first word is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

PATIENCE_S = 120
"""For all answers, also on a machine that has much else to do."""


@dataclass(frozen=True)
class Ask:
    """A request of one buyer."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"

    def written(self) -> bytes:
        """The request as it goes over the wire."""
        body = json.dumps(self.body).encode()
        headers = {
            "Host": "localhost",
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self.headers,
        }
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    kind: str
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, which is a JSON object."""
        read = json.loads(self.body)
        assert isinstance(read, dict)
        return read


async def _read(reader: asyncio.StreamReader) -> Answer:
    """Read as far as the length says; gunicorn may close a connection long after its answer."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(first.split()[1]), headers["content-type"].split(";")[0], body)


async def _all_at_once(port: int, asks: Sequence[Ask]) -> list[Answer]:
    lines = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in asks))
    try:
        for (_, writer), ask in zip(lines, asks, strict=True):
            writer.write(ask.written())
        return await asyncio.gather(*(_read(reader) for reader, _ in lines))
    finally:
        for _, writer in lines:
            writer.close()


def rush(port: int, asks: Sequence[Ask]) -> list[Answer]:
    """Send all of `asks` at once and return their answers, in the same order."""
    # In a thread of its own: a browser that other tests keep open has a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _in_time(port, asks)).result()


async def _in_time(port: int, asks: Sequence[Ask]) -> list[Answer]:
    return await asyncio.wait_for(_all_at_once(port, asks), PATIENCE_S)
