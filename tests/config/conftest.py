from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No moneyback.toml of the developer is read."""
    monkeypatch.chdir(tmp_path)
