"""Where ticks run: each on a thread of its own that cannot hold the process."""

import threading
import time
from typing import Any

from apscheduler.executors.base import BaseExecutor, run_job


class TickThreads(BaseExecutor):  # type: ignore[misc]  # APScheduler ships no types
    """An executor that can be waited for with a limit.

    The threads of APScheduler's own pool are joined without limit when the interpreter ends: one duty that
    hangs would hold the process for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running: dict[str, threading.Thread] = {}

    def join(self, *, within_seconds: float) -> set[str]:
        """Wait for the duties under way; returns the names of those that go on regardless."""
        deadline = time.monotonic() + within_seconds
        running = dict(self._running)
        for thread in running.values():
            thread.join(max(deadline - time.monotonic(), 0.0))
        return {name for name, thread in running.items() if thread.is_alive()}

    def _do_submit_job(self, job: Any, run_times: list[Any]) -> None:
        def run() -> None:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)  # noqa: SLF001 - as pools do
            self._run_job_success(job.id, events)

        self._running[job.id] = threading.Thread(target=run, name=f"tick-{job.id}", daemon=True)
        self._running[job.id].start()
