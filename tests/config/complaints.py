"""What is said of settings that cannot be used, and the odd settings that several tests begin with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from config.settings import SettingsError, load

SECRET: Final = "hunter2hunter2"
SHOP: Final = '[gateways.my-shop]\nkind = "sandbox"\nbase_url = "https://pay.example/"\ngrade = "B"\n'


def problems(environ: Mapping[str, str], toml: str = "") -> tuple[str, ...]:
    """The problems of this environment with this moneyback.toml; there must be some, one a line."""
    Path("moneyback.toml").write_text(toml, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(environ=environ)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return caught.value.problems
