"""What CPU and memory whole process trees use, and how busy the rest of the machine is."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil


@dataclass(slots=True)
class Tree:
    """A process with all its children. Those that ended keep their last reading."""

    root: int | None
    peak_mb: float = 0.0
    """The largest resident set of any single process of the tree seen by `sample`, in MB of 2**20 bytes."""
    _cpu: dict[int, float] = field(default_factory=dict)

    def sample(self) -> float:
        """CPU seconds used so far, user and system."""
        for process in self._family():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    self._cpu[process.pid] = times.user + times.system
                    self.peak_mb = max(self.peak_mb, process.memory_info().rss / 2**20)
            except psutil.Error:
                continue
        return sum(self._cpu.values())

    def _family(self) -> Iterable[psutil.Process]:
        if self.root is None:
            return []
        try:
            root = psutil.Process(self.root)
            return [root, *root.children(recursive=True)]
        except psutil.Error:
            return []


def machine_busy() -> float:
    """CPU seconds the whole machine has been busy."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def driver_busy() -> float:
    """CPU seconds of this very process."""
    times = os.times()
    return times.user + times.system
