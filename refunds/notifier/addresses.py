"""Addresses and host names that are safe to write into a header."""

import re
from typing import Final

from email_validator import EmailNotValidError, validate_email

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST: Final = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets
_UNFOLDED: Final = 60
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def header_safe(address: str) -> str | None:
    """The address in plain ASCII, its domain in IDNA where needed; None if it has no such form.

    Names without a dot are fine: the embedded default is `oncall@localhost`.
    """
    if len(address) > _LONGEST:
        return None
    if _ADDRESS.fullmatch(address):
        return address
    try:
        ascii_form = validate_email(address, check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError:
        return None
    return ascii_form if ascii_form and _ADDRESS.fullmatch(ascii_form) else None


def host_name(name: str) -> str:
    """The name if it can stand in a Message-ID and is short enough to stay unfolded, else `localhost`."""
    return name if len(name) <= _UNFOLDED and _HOST.fullmatch(name) else "localhost"
