"""The search: whether anything that was planted stands in what was written, however it is spelt there.

It shares nothing with the code under test: it reads digits alone, whatever stands between them.
"""

import base64
import quopri
import re
import unicodedata
from pathlib import Path

from sqlalchemy import text

from refunds.store.database import Database
from refunds.store.tables import metadata
from tests.security.planted import CODE_NAMES, ISSUERS, MARK, cards, codes, keys

_NUMBERS = frozenset(card.number for card in cards())
_LENGTHS = sorted({len(number) for number in _NUMBERS})
_CODES = frozenset(code.digits for code in codes())
_SECRETS = frozenset(key.secret[:16].lower() for key in keys())

_ISSUER = re.compile(f"(?=({'|'.join(ISSUERS)}))")
_BASE64 = re.compile("|".join(base64.b64encode(issuer.encode()).decode() for issuer in ISSUERS))
_NAMES = "|".join(CODE_NAMES)
_CODE = re.compile(rf"(?:{_NAMES})\W{{0,6}}(?:is\W{{1,3}})?([0-9]{{3,4}})(?![0-9])", re.IGNORECASE)
_MARK = re.compile(re.escape(MARK), re.IGNORECASE)
_ESCAPES = re.compile(r"(?:\\+u[0-9a-fA-F]{4})+")
_FOREIGN = re.compile(r"[^\x00-\x7f]")


def hits(content: str | bytes) -> set[str]:
    """Everything planted that stands there."""
    found = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    found = _ESCAPES.sub(_unescaped, found)
    found = _FOREIGN.sub(lambda char: str(unicodedata.digit(char[0], char[0])), found)
    return {*_numbers(re.sub("[^0-9]", "", found)), *_encoded(found), *_codes(found), *_secrets(found)}


def _unescaped(escapes: re.Match[str]) -> str:
    units = "".join(chr(int(unit, 16)) for unit in re.findall("u([0-9a-fA-F]{4})", escapes[0]))
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def hits_in_folder(folder: Path) -> set[str]:
    """In every file below a folder, mails also as they are read."""
    found: set[str] = set()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        found |= hits(content)
        if file.suffix == ".eml":
            found |= hits(quopri.decodestring(content))
    return found


def hits_in_tables(database: Database) -> set[str]:
    """In every column of every row."""
    with database.read() as tx:
        tables = [tx.execute(text(f"SELECT * FROM {name}")).all() for name in metadata.tables]
    assert any(tables)
    return hits("\n".join(repr(tuple(row)) for rows in tables for row in rows))


def _numbers(digits: str) -> set[str]:
    places = [found.start() for found in _ISSUER.finditer(digits)]
    windows = {digits[place : place + length] for place in places for length in _LENGTHS}
    return windows & _NUMBERS


def _encoded(content: str) -> set[str]:
    found: set[str] = set()
    for place in _BASE64.finditer(content):
        word = re.match("[A-Za-z0-9+/]+", content[place.start() : place.start() + 28])
        assert word is not None
        raw = base64.b64decode(word[0][: len(word[0]) // 4 * 4])
        rest = word[0][len(word[0]) // 4 * 4 :]
        raw += base64.b64decode(rest + "=" * (4 - len(rest))) if len(rest) > 1 else b""
        found |= _numbers(raw.decode("latin-1"))
    return found


def _codes(content: str) -> set[str]:
    return {found[0] for found in _CODE.finditer(content) if found[1] in _CODES}


def _secrets(content: str) -> set[str]:
    starts = [found.start() for found in _MARK.finditer(content)]
    return {content[start : start + 16].lower() for start in starts} & _SECRETS
