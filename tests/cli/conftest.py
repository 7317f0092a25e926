import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from config.logging import LIBRARY_FLOORS
from tests.cli.lived import Lived, live
from tests.cli.stage import Stage, stage


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    """Commands set up the log of their process, which here is everybody's."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    libraries = {name: logging.getLogger(name) for name in LIBRARY_FLOORS}
    levels = {name: (library.level, list(library.handlers)) for name, library in libraries.items()}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, library in libraries.items():
        library.setLevel(levels[name][0])
        library.handlers[:] = levels[name][1]
    structlog.reset_defaults()


@pytest.fixture
def fresh(tmp_path: Path) -> Stage:
    """A stage on an empty folder."""
    return stage(tmp_path / "data")


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Refunds with a past; tests look at them and change none."""
    return live(tmp_path_factory.mktemp("lived"))
