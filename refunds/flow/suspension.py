"""The clock that leases are kept by inside one process: it goes on while the process or machine sleeps."""

import time


def suspended_clock() -> float:
    """Seconds on a clock that goes on during suspension (`CLOCK_BOOTTIME` where there is one)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
