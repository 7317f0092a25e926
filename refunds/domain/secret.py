"""Secrets in text: passwords, keys and tokens, by their names and by the marks of their makers."""

import re

SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|authori[sz]ation|cookie|credential|card_?number|cv[vc]"
    r"|security[ _-]?code|(?:api|private|signing|access|encryption)[ _-]?key|key[ _-]?material",
    re.IGNORECASE,
)
"""Names under which a secret may stand: whatever is written under one is hidden."""

SURE_NAME = re.compile(
    r"(?:password|passwd|passphrase|secret|authorization|credentials?"
    r"|(?:api|private|signing|access|secret|encryption)[ _-]?key"
    r"|(?:access|api|auth|bearer|refresh|secret)[ _-]?token)$",
    re.IGNORECASE,
)
"""Names under which nothing but a secret stands."""


def without_secrets(text: str) -> str:
    """The text with `***` for passwords in URLs, `password=` and its like, tokens and keys."""
    if not _WORDS.search(text.lower()):
        return text
    text = _PRIVATE_KEY.sub("[private key]", text)
    text = _URL_PASSWORD.sub(r"\1***@", text)
    text = _NAMED_SECRET.sub(r"\1***", text)
    text = _AUTHORIZATION.sub(r"\1***", text)
    text = _SIGNED_TOKEN.sub("[token]", text)
    return _MARKED.sub(lambda found: f"{found[found.lastindex or 0]}***", text)


# What every pattern below needs somewhere: most texts have none of it, and are done with.
_WORDS = re.compile(
    "://|=|['\"]:|key|authorization|bearer |eyj|akia|asia|aiza|mb_|live_|test_|whsec_|gh[oprsu]_|github_pat_"
    "|glpat-|shp[acps]{2}_|xox|sk-|sq0|sg\\."
)

# A password may hold a raw slash or @; a number that ends like a port is not a password.
_URL_PASSWORD = re.compile(r"(://[^\s/?#:]{0,256}:)(?![0-9]{1,5}(?:[/?#\s]|$))\S{0,1024}@")

_NAMED_SECRET = re.compile(
    r"((?:(?:password|passwd|pwd|secret|token|api[_-]?key|(?:secret|access|private)[_-]?(?:access[_-]?)?key)"
    r"(?:\s{0,3}=\s{0,3}|['\"]\s{0,3}:\s{0,3}))|(?:api|secret|access)[_-]?key\s{0,3}:\s{0,3}(?=\S{8})(?=\S{0,64}[0-9]))"
    r"(?:'[^']{0,1024}'|\"[^\"]{0,1024}\"|[^\s&,;]+)",
    re.IGNORECASE,
)
# "authorization expired" is what gateways say, and no secret.
_AUTHORIZATION = re.compile(
    r"(authorization['\"]?\s{0,3}[:=]\s{0,3}['\"]?(?:(?:bearer|basic|digest) |(?=\S*[0-9])(?=\S{12}))"
    r"|\bbearer (?=\S{16}|\S*[0-9])(?=\S{8}))[^\s'\",;}]+",
    re.IGNORECASE,
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL
)
_SIGNED_TOKEN = re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?")

# The marks of makers: ours, payment platforms, clouds, code hosts, chats.
_MARKED = re.compile(
    r"(?<![A-Za-z0-9])(?:(mb_)[A-Za-z0-9._~+/=-]{8,}"
    r"|((?:sk|rk|pk)_(?:live|test)_|whsec_|sq0[a-z]{3}-|shp(?:at|ss|ca|pa)_)[A-Za-z0-9_-]{6,}"
    r"|((?:live|test)_)[A-Za-z0-9]{25,}"
    r"|(AKIA|ASIA)[A-Z0-9]{12,}"
    r"|(AIza|sk-)[A-Za-z0-9_-]{20,}"
    r"|(gh[opusr]_|github_pat_|glpat-|xox[a-z]-|SG\.)[A-Za-z0-9._-]{10,})"
)
