"""Delivery by SMTP: one transaction a mail, encrypted where it leaves the machine or carries a password."""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import getfqdn
from time import monotonic
from typing import Any, Final

from refunds.notifier.clean import harmless_text
from refunds.notifier.server_url import Encryption, parse_server_url
from refunds.ports import Delivery, Mail

_DONE: Final = range(200, 300)
_LASTING: Final = range(500, 600)
_ABOUT_US: Final = frozenset({503, 530, 535, 538})
"""Lasting refusals of our session or login: once our settings are mended, the address is as good as ever."""
_RESPONSE_LIMIT: Final = 300
_FAREWELL_SECONDS: Final = 2.0
_LEAST_SECONDS: Final = 0.001
_RECIPIENT: Final = re.compile(r"""[^\s\x00-\x1f\x7f<>()\[\],;:\\"@]+@[^\s\x00-\x1f\x7f<>()\[\],;:\\"@]+""")
_TROUBLE: Final = (OSError, smtplib.SMTPException, ValueError)
"""All that smtplib lets out; ValueError is an unreadable login challenge, or text that it cannot encode."""


class SmtpChannel:
    """Delivers to the mail server of `smtp://[user:password@]host[:port][?starttls=true|false]` or `smtps://`.

    STARTTLS is required whenever there are credentials or the host is not loopback, unless
    `starttls=false` says otherwise; credentials never leave the machine unencrypted. Certificates are
    verified, against `ca_file` if given. Ports: 465 for smtps, 587 with credentials, else 25.
    `timeout_seconds` bounds a whole delivery to a server that falls silent at whatever step. Raises
    ValueError naming the part of the URL that is wrong, without quoting a secret.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 20, ca_file: Path | None = None) -> None:
        self._server = parse_server_url(url)
        self._timeout_seconds = timeout_seconds
        # Asked once: on some machines each question for our own name waits for a name server.
        self._own_name = _own_name()
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise ValueError(f"the CA file {ca_file} cannot be read: {error.strerror}") from error

    def deliver(self, mail: Mail) -> Delivery:
        """Try once. Only the server's lasting refusal of this mail to this address is final.

        A connection lost before the closing 250 counts as not delivered: a repeat carries the same
        Message-ID and is bearable, a loss is not.
        """
        if not _RECIPIENT.fullmatch(mail.recipient):
            return Delivery(delivered=False, final=True, response="not a mail address")
        try:
            with self._session() as session:
                return self._transaction(session, mail)
        except _TROUBLE as error:
            return Delivery(delivered=False, final=False, response=self._told(error))

    def check(self) -> str | None:
        """Connect, encrypt and log in as a delivery does, and send nothing."""
        try:
            with self._session() as session:
                code, text = session.noop()
        except _TROUBLE as error:
            return f"{self._server}: {self._told(error)}"
        return None if code in _DONE else f"{self._server}: {self._reply(code, text)}"

    def _transaction(self, session: smtplib.SMTP, mail: Mail) -> Delivery:
        options = [f"size={len(mail.content)}"] if session.has_extn("size") else []
        if not mail.recipient.isascii():
            if not session.has_extn("smtputf8"):
                return Delivery(delivered=False, final=True, response="the server takes ASCII addresses only")
            options.append("SMTPUTF8")
        code, text = session.mail(mail.sender, options)
        if code not in _DONE:
            return Delivery(delivered=False, final=False, response=self._reply(code, text))
        code, text = session.rcpt(mail.recipient)
        if code in _DONE:
            try:
                code, text = session.data(mail.content)
            except smtplib.SMTPDataError as refusal:
                code, text = refusal.smtp_code, _bytes(refusal.smtp_error)
        return Delivery(
            delivered=code in _DONE,
            final=code in _DONE or (code in _LASTING and code not in _ABOUT_US),
            response=self._reply(code, text),
        )

    @contextmanager
    def _session(self) -> Iterator["_Timed"]:
        session = self._connection()
        try:
            session.ehlo_or_helo_if_needed()
            if self._server.encryption is Encryption.STARTTLS:
                session.starttls(context=self._tls)
                session.ehlo_or_helo_if_needed()
            if self._server.login:
                session.login(*self._server.login)
            yield session
            # What was acknowledged stays delivered, however the farewell goes.
            with suppress(*_TROUBLE):
                session.deadline = min(session.deadline, monotonic() + _FAREWELL_SECONDS)
                session.quit()
        finally:
            session.close()

    def _connection(self) -> "_Timed":
        server, name, limit = self._server, self._own_name, self._timeout_seconds
        if server.encryption is Encryption.TLS:
            return _TimedTls(server.host, server.port, own_name=name, timeout=limit, context=self._tls)
        return _Timed(server.host, server.port, own_name=name, timeout=limit)

    def _reply(self, code: int, text: bytes) -> str:
        return self._harmless(f"{code} {text.decode('utf-8', 'replace')}")

    def _told(self, error: Exception) -> str:
        match error:
            case smtplib.SMTPResponseException():
                return self._reply(error.smtp_code, _bytes(error.smtp_error))
            case ssl.SSLCertVerificationError():
                return self._harmless(f"TLS: {error.verify_message}")
            case TimeoutError():
                return f"no answer within {self._timeout_seconds:g} s"
            case _:
                return self._harmless(f"{type(error).__name__}: {error}")

    def _harmless(self, text: str) -> str:
        secret = self._server.login[1] if self._server.login else None
        return harmless_text(text.replace(secret, "***") if secret else text, _RESPONSE_LIMIT)


class _Timed(smtplib.SMTP):
    """Gives every step what is left of one time limit; smtplib alone would grant it to each anew."""

    def __init__(self, host: str, port: int, *, own_name: str, timeout: float, **how: Any) -> None:
        self.deadline = monotonic() + timeout
        super().__init__(host, port, local_hostname=own_name, timeout=timeout, **how)

    def send(self, s: Any) -> None:
        if self.sock:
            self.sock.settimeout(max(_LEAST_SECONDS, self.deadline - monotonic()))
        super().send(s)


class _TimedTls(_Timed, smtplib.SMTP_SSL):
    """The same, encrypted from the start."""


def _own_name() -> str:
    name = getfqdn()
    return name if "." in name else "[127.0.0.1]"


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
