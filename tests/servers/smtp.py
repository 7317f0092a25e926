"""A real mail server for tests, in its own process: keeps every mail in a ledger, fails as it is told."""

import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import quote

import trustme

from tests.servers.mail_ledger import Fault, MailLedger, SunkMail
from tests.servers.program import Program, free_port

Tls = Literal["none", "starttls", "tls"]

_ROOT = Path(__file__).parents[2]


@contextmanager
def smtp_sink(
    *,
    folder: Path,
    tls: Tls = "none",
    login: tuple[str, str] | None = None,
) -> Iterator["SmtpSink"]:
    """A running sink with its ledger in `folder`, made if need be; gone at the end, the ledger stays.

    `login` is the one user and password that it asks for.
    """
    sink = SmtpSink(folder=folder, tls=tls, login=login)
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()


class SmtpSink:
    """The sink as tests see it. It can die and come back at the same address, with all it took."""

    def __init__(self, *, folder: Path, tls: Tls, login: tuple[str, str] | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._program: Program | None = None
        self._port = free_port()
        self._ledger = MailLedger(folder / "mail.sqlite")
        self._options = {
            "ledger": str(folder / "mail.sqlite"),
            "port": self._port,
            "tls": tls,
            "certificate": str(folder / "server.pem"),
            "login": login,
        }
        self.url = _url(port=self._port, tls=tls, login=login)
        """`smtp://user:password@127.0.0.1:port?starttls=true`, or `smtps://…`."""
        self.ca_file: Path | None = None
        """The authority that its certificate is verified against; None without TLS."""
        if tls != "none":
            self.ca_file = folder / "ca.pem"
            _certify(ca_file=self.ca_file, server_file=folder / "server.pem")
        self.ready_seconds = 0.0
        """From the last start to its first answer."""

    def start(self) -> None:
        """Start; returns when it listens."""
        self._program = Program(
            [sys.executable, "-m", "tests.servers.smtp_sink", json.dumps(self._options)],
            log=self._folder / "smtp.log",
            folder=_ROOT,
            held=True,
        )
        self.ready_seconds = self._program.wait_until(self._listens)

    def stop(self) -> None:
        """End it; nothing happens when it is not running. Clients in mid-sentence are cut off."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def mails(self) -> list[SunkMail]:
        """What the sink has taken, one a message and recipient, oldest first."""
        return self._ledger.mails()

    def turned_away(self) -> list[SunkMail]:
        """Recipients that it refused, let hang or cut off before the message, oldest first."""
        return self._ledger.turned_away()

    def set_fault(self, address: str | None, kind: Fault, *, times: int | None = None) -> None:
        """Misbehave from now on, this often (None: for ever), to one address (None: to all).

        Several faults of an address come one after the other.
        """
        self._ledger.set_fault(address, kind, times=times)

    def clear_faults(self) -> None:
        """Behave from now on."""
        self._ledger.clear_faults()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=2).close()
        except OSError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        program, self._program = self._program, None
        if program is not None:
            program.end(how)


class StartSmtp(Protocol):
    """What the fixture `smtp` gives: starts sinks that end with the test."""

    def __call__(self, *, tls: Tls = "none", login: tuple[str, str] | None = None) -> SmtpSink:
        """A running sink with a ledger of its own."""
        ...


def _url(*, port: int, tls: Tls, login: tuple[str, str] | None) -> str:
    scheme = "smtps" if tls == "tls" else "smtp"
    who = "" if login is None else ":".join(quote(part, safe="") for part in login) + "@"
    query = "?starttls=true" if tls == "starttls" else ""
    return f"{scheme}://{who}127.0.0.1:{port}{query}"


def _certify(*, ca_file: Path, server_file: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(server_file)
