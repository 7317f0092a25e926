"""A TCP proxy that spoils connections: one process for all links, told over its standard input.

Driver and proxy speak lines of JSON. The proxy ends when its standard input closes, so it never outlives
the driver. Nothing that was once taken is delivered out of order or changed: like a network, it can only be
late, cut off or lost together with its connection.
"""

import asyncio
import json
import random
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

_ROOT = Path(__file__).parents[3]
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Weather:
    """How a link treats what passes; the default is fair. Latency holds for each chunk and direction."""

    latency_ms: float = 0
    jitter_ms: float = 0
    slice_bytes: int = 0
    """Chunks are passed on in pieces of this size."""
    bytes_per_second: float = 0
    black_hole: bool = False
    """Nothing passes. When it ends, what is held goes on, as TCP would send it again."""
    answer_bytes: int | None = None
    """Each connection is closed after so many bytes of answer."""
    reset: bool = False
    """Connections are reset, those that come as well."""
    refuse: bool = False
    """Nobody listens; connections that stand go on."""
    slow_close_seconds: float = 0
    """How late one side learns that the other has closed."""


FAIR = Weather()


class Proxy:
    """The driver's side. `links` maps names to the loopback ports behind them."""

    def __init__(self, links: Mapping[str, int]) -> None:
        self._links = dict(links)
        self._talk = threading.Lock()
        self.ports: dict[str, int] = {}
        """Where each link listens."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.guarantees.processes.proxy", json.dumps(self._links)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            process_group=0,
        )
        self.ports = self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()

    def change(self, link: str, weather: Weather) -> int:
        """From now on this weather on this link; returns what the weather before touched there."""
        with self._talk:
            assert self._process.stdin is not None
            print(json.dumps({"link": link, "weather": asdict(weather)}), file=self._process.stdin)
            return self._answer()["touched"]

    def clear(self) -> None:
        """Fair weather everywhere; what was held is on its way when this returns."""
        for link in self._links:
            self.change(link, FAIR)

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer


@dataclass(eq=False)
class _Link:
    """The proxy's side of one link."""

    target: int
    port: int = 0
    weather: Weather = FAIR
    touched: int = 0
    _server: asyncio.Server | None = None
    _clear: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> None:
        self._clear.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def change(self, weather: Weather) -> int:
        touched, self.touched = self.touched, 0
        self.weather = weather
        if weather.black_hole:
            self._clear.clear()
        else:
            self._clear.set()
        if weather.reset:
            for writer in list(self._writers):
                self._reset(writer)
        if weather.refuse and self._server is not None:
            self._server.close()
            self._server = None
        elif not weather.refuse and self._server is None:
            await self.open()
        return touched

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.reset:
            self._reset(writer)
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            self._reset(writer, touches=False)
            return
        self._writers |= {writer, back}
        try:
            await asyncio.gather(
                self._pump(reader, back, answers=False, other=writer),
                self._pump(there, writer, answers=True, other=back),
            )
        finally:
            self._writers -= {writer, back}
            for each in (writer, back):
                each.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answers: bool,
        other: asyncio.StreamWriter,
    ) -> None:
        """Pass one direction on until it ends; a broken end is told to both sides as a reset."""
        passed, counted_in = 0, self.weather
        try:
            while chunk := await reader.read(_CHUNK):
                await self._hold(len(chunk))
                weather = self.weather
                if counted_in is not weather:
                    passed, counted_in = 0, weather
                limit = weather.answer_bytes if answers else None
                if limit is not None and passed + len(chunk) > limit:
                    self.touched += 1
                    writer.write(chunk[: limit - passed])
                    writer.close()
                    self._reset(other, touches=False)
                    return
                passed += len(chunk)
                size = weather.slice_bytes or len(chunk)
                self.touched += size < len(chunk)
                for start in range(0, len(chunk), size):
                    writer.write(chunk[start : start + size])
                    await writer.drain()
            if self.weather.slow_close_seconds:
                self.touched += 1
                await asyncio.sleep(self.weather.slow_close_seconds)
            if not writer.is_closing():
                writer.write_eof()
        except (OSError, RuntimeError):  # RuntimeError: the transport closed while we waited
            self._reset(writer, touches=False)
            self._reset(other, touches=False)

    async def _hold(self, size: int) -> None:
        weather = self.weather
        seconds = (weather.latency_ms + random.random() * weather.jitter_ms) / 1000
        if weather.bytes_per_second:
            seconds += size / weather.bytes_per_second
        self.touched += bool(seconds) or weather.black_hole
        if seconds:
            await asyncio.sleep(seconds)
        await self._clear.wait()

    def _reset(self, writer: asyncio.StreamWriter, *, touches: bool = True) -> None:
        self.touched += touches
        raw = writer.get_extra_info("socket")
        with suppress(OSError, AttributeError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


async def _run(targets: Mapping[str, int]) -> None:
    links = {name: _Link(target) for name, target in targets.items()}
    for link in links.values():
        await link.open()
    _answer({name: link.port for name, link in links.items()})
    while line := await asyncio.to_thread(sys.stdin.readline):
        told = json.loads(line)
        touched = await links[told["link"]].change(Weather(**told["weather"]))
        _answer({"touched": touched})


def _answer(answer: Mapping[str, int]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
