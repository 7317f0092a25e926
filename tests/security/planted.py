"""What is planted: 500 card numbers in eight spellings, 500 security codes, 500 keys. Always the same.

The keys are put together here, so that no file holds anything that looks like one.
"""

import base64
import random
import string
from dataclasses import dataclass
from functools import cache
from typing import Final

COUNT: Final = 500
ISSUERS: Final = ("400000", "510510", "222300", "371449", "601111", "352800", "620000")
MARK: Final = "Zq9X"
"""Every secret begins with it."""

SPLIT: Final = "split"
CODE_NAMES: Final = ("cvv", "CVC", "cvv2", "security code", "card verification code")
_ALPHABETS: Final = tuple(
    ord(zero)
    for zero in "\N{FULLWIDTH DIGIT ZERO}\N{ARABIC-INDIC DIGIT ZERO}"
    "\N{DEVANAGARI DIGIT ZERO}\N{MATHEMATICAL MONOSPACE DIGIT ZERO}\N{EXTENDED ARABIC-INDIC DIGIT ZERO}"
)


@dataclass(frozen=True, slots=True)
class Card:
    """One number, and its text in each spelling but the split one."""

    number: str
    spelt: dict[str, str]
    halves: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Code:
    """One security code, by its name."""

    digits: str
    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """One key or token: the secret part, and how it stands in a text."""

    secret: str
    text: str


@cache
def cards() -> tuple[Card, ...]:
    """All of them, with 13 to 19 digits, most with 16."""
    chance = random.Random(411_111)
    numbers: dict[str, None] = {}
    while len(numbers) < COUNT:
        issuer = chance.choice(ISSUERS)
        length = chance.choice((13, 14, 15, 16, 16, 16, 16, 17, 18, 19))
        body = issuer + "".join(chance.choices(string.digits, k=length - len(issuer) - 1))
        numbers[body + _check_digit(body)] = None
    return tuple(_card(number, index) for index, number in enumerate(numbers))


@cache
def codes() -> tuple[Code, ...]:
    """As people write them."""
    chance = random.Random(123)
    said = ("{name}={digits}", "{name}: {digits}", "{name} {digits}", '"{name}": "{digits}"')
    forms = (*said, "{name} is {digits}")
    found = []
    for index in range(COUNT):
        digits = "".join(chance.choices(string.digits, k=chance.choice((3, 4))))
        name = CODE_NAMES[index % len(CODE_NAMES)]
        found.append(Code(digits, forms[index // 5 % len(forms)].format(name=name, digits=digits)))
    return tuple(found)


@cache
def keys() -> tuple[Key, ...]:
    """Of all the makes that are known."""
    chance = random.Random(42)
    return tuple(_key(index, chance) for index in range(COUNT))


def _card(number: str, index: int) -> Card:
    groups = [number[start : start + 4] for start in range(0, len(number), 4)]
    if len(number) == 15:
        groups = [number[:4], number[4:10], number[10:]]
    zero = _ALPHABETS[index % len(_ALPHABETS)]
    foreign = "".join(chr(zero + int(digit)) for digit in number)
    half = len(number) // 2
    spelt = {
        "plain": number,
        "spaces": " ".join(groups),
        "dashes": "-".join(groups),
        "Unicode digits": foreign if index % 2 else " ".join((foreign[:4], foreign[4:])),
        "base64": base64.b64encode(number.encode()).decode(),
        "gateway error": f"Your card {' '.join(groups)} was declined by its issuer (05, do not honour).",
        "track": f"%B{number}^DOE/JANE^2512101000001230000?;{number}=25121010000012300000?",
    }
    return Card(number, spelt, (number[:half], number[half:]))


def _check_digit(body: str) -> str:
    total = sum(sum(divmod(2 * int(digit), 10)) for digit in body[::-2])
    total += sum(int(digit) for digit in body[-2::-2])
    return str(-total % 10)


def _key(index: int, chance: random.Random) -> Key:
    secret = MARK + "".join(chance.choices(string.ascii_letters + string.digits, k=28))
    upper = MARK.upper() + "".join(chance.choices(string.ascii_uppercase + string.digits, k=12))
    head = "PRIVATE" + " KEY-----"
    made = (
        (secret, f"mb_{secret}"),
        (secret, f"sk_live_{secret}"),
        (secret, f"sk_test_{secret}"),
        (secret, f"Authorization: Bearer {secret}"),
        (secret, f"refused, sent with bearer {secret}"),
        (secret, f"api_key={secret}"),
        (secret, f"postgresql://moneyback:{secret}@db.internal/refunds"),
        (upper, "AK" + "IA" + upper),
        (secret, f"-----BEGIN {head}\n{secret}\n{secret}\n-----END {head}"),
        (secret, ".".join(("ey" + "J" + "a" * 12, secret, secret))),
        (secret, f"ghp_{secret}"),
    )
    return Key(*made[index % len(made)])


def texts() -> list[tuple[str, str]]:
    """(kind, text) of everything that stands in one text: seven spellings, codes, keys."""
    return [
        *((kind, text) for card in cards() for kind, text in card.spelt.items()),
        *(("code", code.text) for code in codes()),
        *(("key", key.text) for key in keys()),
    ]
