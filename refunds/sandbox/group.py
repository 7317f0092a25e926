"""Group commit: what arrives in one turn of the event loop shares one transaction."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from refunds.sandbox.ledger import Ledger

_Result = TypeVar("_Result")


class GroupCommit:
    """Runs work inside the ledger's transaction; nobody hears of it before it is committed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open = False
        self._waiting: list[asyncio.Future[None]] = []
        self._broken: Exception | None = None

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """What `work` returned, once committed.

        Work that raises, or a commit that fails, undoes the whole group: everybody in it gets that error.
        """
        loop = asyncio.get_running_loop()
        if not self._open:
            self._ledger.begin()
            self._open = True
            loop.call_soon(self._end)
        try:
            result = work()
        except Exception as error:
            self._broken = error
            raise
        committed = loop.create_future()
        self._waiting.append(committed)
        await committed
        return result

    def _end(self) -> None:
        self._open = False
        waiting, self._waiting = self._waiting, []
        error, self._broken = self._broken, None
        if error is None:
            try:
                self._ledger.commit()
            except sqlite3.Error as failed:
                error = failed
        if error is not None:
            self._ledger.rollback()
        for committed in waiting:
            if committed.done():  # its request was cancelled
                continue
            if error is None:
                committed.set_result(None)
            else:
                committed.set_exception(error)
