"""A server of bare sockets on the test's own loop: it misbehaves as no HTTP server can be told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Manner = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """One request on one connection, as it came over the wire."""

    head: bytes
    body: bytes
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def whole(self) -> bytes:
        return self.head + self.body

    async def answer(self, body: bytes = b"{}", *, status: int = 200, more: str = "") -> None:
        """A whole answer; the connection stays open."""
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    def cut(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()


@dataclass
class RawServer:
    """What it saw."""

    port: int
    connections: int = 0
    requests: list[Visit] = field(default_factory=list)

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}"


@asynccontextmanager
async def raw_server(manner: Manner, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Reads requests whole, then does to each as it is told."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        seen.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = await reader.readexactly(length)
                visit = Visit(head, body, len(seen.requests) + 1, reader, writer)
                seen.requests.append(visit)
                await manner(visit)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            running.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    seen = RawServer(server.sockets[0].getsockname()[1])
    try:
        yield seen
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
