"""The load: a process of its own that keeps some requests in flight and times every answer.

`python -m bench.load` reads a plan (JSON) from its standard input and writes what it saw
(JSON). One thread, plain sockets and prepared bytes, so that as little as possible of the
machine goes into asking.
"""

from __future__ import annotations

import itertools
import json
import random
import resource
import secrets
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

DRAIN_S = 20.0
READ_BYTES = 65_536


_REST = (
    b'"recipient":{"name":"Buyer","phone":"13800000000","city":"Chongqing",'
    b'"address":"Street 1"},"payment":"stripe"}'
)


@dataclass(slots=True)
class Stream:
    """What some of the connections ask for, again and again; `counted` ones give the figures."""

    host: str
    kind: str
    paths: list[str]
    tokens: list[str]
    offers: list[str]
    counted: bool
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    serial: itertools.count[int] = field(default_factory=itertools.count)

    def request(self, etag: bytes) -> bytes:
        """Return the bytes of the next request; `etag` is that of the answer before."""
        if self.kind == "order":
            return self._order()
        lines = [f"GET {random.choice(self.paths)} HTTP/1.1", f"Host: {self.host}"]  # noqa: S311  # no secret
        if self.tokens:
            lines.append(f"Authorization: Bearer {random.choice(self.tokens)}")  # noqa: S311  # no secret
        head = "\r\n".join(lines).encode()
        if self.kind == "poll" and etag:
            head += b"\r\nIf-None-Match: " + etag
        return head + b"\r\n\r\n"

    def _order(self) -> bytes:
        offer = random.choice(self.offers)  # noqa: S311  # no secret
        body = b'{"lines":[{"offer_id":"' + offer.encode() + b'","quantity":1}],' + _REST
        head = (
            f"POST {self.paths[0]} HTTP/1.1\r\nHost: {self.host}\r\n"
            f"Authorization: Bearer {random.choice(self.tokens)}\r\n"  # noqa: S311  # no secret
            f"Idempotency-Key: {self.run}-{next(self.serial)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(slots=True)
class Wire:
    """One connection and the answer that it waits for."""

    stream: Stream
    socket: socket.socket
    asked_at: float = 0.0
    etag: bytes = b""
    read: bytearray = field(default_factory=bytearray)
    wanted: int | None = None
    status: int = 0

    def ask(self) -> None:
        """Send the next request."""
        self.read.clear()
        self.wanted = None
        self.asked_at = time.perf_counter()
        self.socket.sendall(self.stream.request(self.etag))

    def take(self) -> bool:
        """Read what has come; tell whether the answer is whole. ConnectionError when cut off."""
        got = self.socket.recv(READ_BYTES)
        if not got:
            raise ConnectionError("the server hung up")
        self.read += got
        if self.wanted is None:
            end = self.read.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._head(bytes(self.read[:end]), end + 4)
        assert self.wanted is not None
        return len(self.read) >= self.wanted

    def _head(self, head: bytes, length: int) -> None:
        self.status = int(head[9:12])
        lowered = head.lower()
        at = lowered.find(b"\r\ncontent-length:")
        self.wanted = length
        if at >= 0 and self.status != 304:
            self.wanted += int(lowered[at + 17 :].split(b"\r\n", 1)[0])
        at = lowered.find(b"\r\netag:")
        if at >= 0:
            self.etag = head[at + 7 :].split(b"\r\n", 1)[0].strip()


@dataclass
class Seen:
    """What came back within the measured time, and how often which status in all."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    others: Counter[int] = field(default_factory=Counter)
    cut_off: int = 0


class Load:
    """Keeps every connection busy for a while."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._address = (plan["host"], plan["port"])
        self._warm_s = float(plan["warm_s"])
        self._seconds = float(plan["seconds"])
        host = f"{plan['host']}:{plan['port']}"
        self._poll = select.epoll()
        self._wires: dict[int, Wire] = {}
        self._seen = Seen()
        for one in plan["streams"]:
            wanted = {name: one.get(name, []) for name in ("paths", "tokens", "offers")}
            stream = Stream(host, one["kind"], counted=one.get("counted", True), **wanted)
            for _ in range(one["connections"]):
                self._open(stream)

    def run(self) -> dict[str, Any]:
        """Ask for as long as planned, wait for what is on its way, and return what was seen."""
        begin = time.perf_counter() + self._warm_s
        end = begin + self._seconds
        for wire in list(self._wires.values()):
            wire.ask()
        before = after = 0.0
        waiting, started = len(self._wires), False
        while waiting and time.perf_counter() < end + DRAIN_S:
            for number, _ in self._poll.poll(0.5):
                wire = self._wires[number]
                now = time.perf_counter()
                if not started and now >= begin:
                    before, started = _cpu_s(), True
                try:
                    if not wire.take():
                        continue
                except ConnectionError:
                    self._seen.cut_off += 1
                    self._close(wire)
                    wire = self._open(wire.stream)
                else:
                    self._note(wire, begin <= now < end, now)
                if now < end:
                    wire.ask()
                else:
                    self._close(wire)
                    waiting -= 1
                    after = after or _cpu_s()
        return self._told((after or _cpu_s()) - before, waiting)

    def _open(self, stream: Stream) -> Wire:
        made = socket.create_connection(self._address, timeout=DRAIN_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = self._wires[made.fileno()] = Wire(stream, made)
        self._poll.register(made.fileno(), select.EPOLLIN)
        return wire

    def _close(self, wire: Wire) -> None:
        number = wire.socket.fileno()
        self._poll.unregister(number)
        del self._wires[number]
        wire.socket.close()

    def _note(self, wire: Wire, is_timed: bool, now: float) -> None:
        if not wire.stream.counted:
            self._seen.others[wire.status] += 1
            return
        self._seen.statuses[wire.status] += 1
        if is_timed:
            self._seen.latencies.append(now - wire.asked_at)

    def _told(self, cpu_s: float, unanswered: int) -> dict[str, Any]:
        latencies = sorted(self._seen.latencies)
        return {
            "seconds": self._seconds,
            "requests": len(latencies),
            "p50_ms": _at(latencies, 0.5) * 1000,
            "p99_ms": _at(latencies, 0.99) * 1000,
            "statuses": self._seen.statuses,
            "others": self._seen.others,
            "cut_off": self._seen.cut_off,
            "unanswered": unanswered,
            "load_cpu_s": cpu_s,
        }


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    json.dump(Load(json.load(sys.stdin)).run(), sys.stdout)
