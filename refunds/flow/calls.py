"""The one event loop of a worker process: gateway calls wait here, hundreds at a time."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

Call = Callable[[], Coroutine[Any, Any, None]]


class CallLoop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._running: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="calls", daemon=True)
        self._thread.start()

    def start_all(self, calls: Sequence[Call]) -> None:
        """Begin these calls, in one hop to the loop's thread."""
        if calls:
            self._loop.call_soon_threadsafe(self._begin, calls)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one coroutine on the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Stop the loop; calls still running are abandoned to their leases."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begin(self, calls: Sequence[Call]) -> None:
        for call in calls:
            task = self._loop.create_task(call())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
