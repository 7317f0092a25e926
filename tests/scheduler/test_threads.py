"""A process ends although a tick hangs."""

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import threading
from apscheduler.schedulers.background import BackgroundScheduler
from scheduler.threads import TickThreads

begun = threading.Event()

def hang():
    begun.set()
    threading.Event().wait()

threads = TickThreads()
scheduler = BackgroundScheduler(timezone="UTC", executors={"default": threads})
scheduler.add_job(hang, id="hanging")
scheduler.start()
assert begun.wait(10)
scheduler.shutdown(wait=False)
print(threads.join(within_seconds=0.1))
"""


def test_a_tick_that_hangs_does_not_hold_the_end_of_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "{'hanging'}\n"), done.stderr
