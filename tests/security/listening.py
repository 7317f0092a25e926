"""The real log, from the real renderer, into a text that can be searched."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from config.logging import LIBRARY_FLOORS, configure


@contextmanager
def listening(log_format: str) -> Iterator[io.StringIO]:
    """What is logged in the block, at level debug; the process's own logging is put back after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    libraries = {name: logging.getLogger(name) for name in LIBRARY_FLOORS}
    levels = {name: (library.level, list(library.handlers)) for name, library in libraries.items()}
    written = io.StringIO()
    configure(log_format=log_format, level="debug", stream=written)
    structlog.configure(cache_logger_on_first_use=False)  # others capture events in their own way
    try:
        yield written
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, library in libraries.items():
            library.setLevel(levels[name][0])
            library.handlers[:] = levels[name][1]
        structlog.reset_defaults()
