"""SQLite is for one host."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import load
from refunds.bootstrap import open_house, prepare_database
from refunds.process import SecondHostError
from refunds.store import ticks
from refunds.store.database import real_now


def _beat(folder: Path, *, host: str, ago: timedelta) -> None:
    house = open_house(load(environ={"MONEYBACK_DATA_DIR": str(folder)}), role="web")
    prepare_database(house)
    with house.parts.database.begin() as tx:
        ticks.beat(tx, process=f"worker={host}", role="worker", host=host, real=real_now(tx) - ago)
    house.close()


def test_a_second_host_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    _beat(tmp_path, host="elsewhere", ago=timedelta(seconds=5))
    house = open_house(load(environ={"MONEYBACK_DATA_DIR": str(tmp_path)}), role="web")
    with pytest.raises(SecondHostError, match="elsewhere"):
        prepare_database(house)
    house.close()


def test_a_host_that_has_long_been_silent_is_no_second_host(tmp_path: Path) -> None:
    _beat(tmp_path, host="elsewhere", ago=timedelta(seconds=61))
    house = open_house(load(environ={"MONEYBACK_DATA_DIR": str(tmp_path)}), role="web")
    assert prepare_database(house).up_to_date
    house.close()
