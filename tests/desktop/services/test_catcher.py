"""The SMTP catcher: takes everything, keeps the envelope, and passes nothing on."""

from __future__ import annotations

import base64
import logging
import smtplib
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY

import pytest

from mailnod_desktop.services.catcher import MAX_BYTES, Catcher, CatcherError
from mailnod_desktop.services.model import Mail


@pytest.fixture
def caught() -> list[Mail]:
    """Give the mails in the order in which they came."""
    return []


@pytest.fixture
def port(caught: list[Mail]) -> Iterator[int]:
    """Give the port of a catcher that is up."""
    with Catcher(caught.append) as catcher:
        yield catcher.start(0)


def _make(subject: str = "Hello", html: str = "<p>Hello</p>") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "app@example.com", "one@example.com", subject
    message.set_content("Hello")
    message.add_alternative(html, subtype="html")
    return message


def test_a_mail_comes_with_its_bytes_and_its_envelope(port: int, caught: list[Mail]) -> None:
    """Bytes are those that were sent, and the envelope names Bcc recipients, each once."""
    data = _make().as_bytes(policy=SMTP_POLICY)
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("bounce@example.com", ["one@example.com", "bcc@example.com", "one@example.com"], data)
    (mail,) = caught
    assert mail.data == data
    assert mail.origin == "smtp"
    assert mail.envelope_sender == "bounce@example.com"
    assert mail.envelope_recipients == ("one@example.com", "bcc@example.com")
    assert mail.received_at is not None


def test_html_on_one_line_is_taken(port: int, caught: list[Mail]) -> None:
    """A line of two million characters is no reason to refuse a mail."""
    data = b"Subject: long\r\nContent-Type: text/html\r\n\r\n" + b"<p>" + b"x" * 2_000_000 + b"</p>\r\n"
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("app@example.com", ["one@example.com"], data)
    assert caught[0].data == data


def test_addresses_and_headers_in_utf8_are_taken(port: int, caught: list[Mail]) -> None:
    """SMTPUTF8 and 8BITMIME are offered and work (RFC 6531, RFC 6152)."""
    message = _make("Grüße aus Köln")
    message.replace_header("To", "käthe@example.com")
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        assert client.has_extn("smtputf8")
        assert client.has_extn("8bitmime")
        client.send_message(message)
    assert caught[0].envelope_recipients == ("käthe@example.com",)
    assert "Köln".encode() in caught[0].data


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_any_login_is_let_in_and_forgotten(
    port: int, caught: list[Mail], caplog: pytest.LogCaptureFixture, mechanism: str
) -> None:
    """Who logs in without TLS can send, and the password is neither logged nor kept."""
    caplog.set_level(logging.DEBUG)
    user, password = "mailer", "correct horse battery"
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        client.user, client.password = user, password
        client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
        client.send_message(_make())
    assert len(caught) == 1
    shown = caplog.text + repr(caught)
    for secret in (password, base64.b64encode(password.encode()).decode(), "AG1haWxlcg"):
        assert secret not in shown


def test_an_answer_that_is_no_base64_is_not_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """A client that sends its password as it is finds it in no log."""
    caplog.set_level(logging.DEBUG)
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        assert client.docmd("AUTH", "LOGIN")[0] == 334
        client.putcmd("not base64: hunter2!")
        assert client.getreply()[0] == 334
        client.putcmd("*")
        assert client.getreply()[0] == 501
    assert "hunter2" not in caplog.text


def test_a_mail_beyond_the_limit_is_refused_by_its_number(port: int, caught: list[Mail]) -> None:
    """What is too large gets 552, announced or not, and the connection goes on."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        assert client.docmd("MAIL", f"FROM:<app@example.com> SIZE={MAX_BYTES + 1}")[0] == 552
        client.rset()
        line = b"x" * 1022 + b"\r\n"
        client.mail("app@example.com")
        client.rcpt("one@example.com")
        assert client.data(line * (MAX_BYTES // len(line) + 1))[0] == 552
        client.send_message(_make())
    assert len(caught) == 1


def test_five_hundred_mails_come_in_order(port: int, caught: list[Mail]) -> None:
    """A campaign comes whole, in order, each mail with a key of its own."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        for number in range(500):
            client.sendmail("app@example.com", ["one@example.com"], f"Subject: {number}\r\n\r\nHello\r\n")
    assert [mail.data.split(b"\r\n", 1)[0] for mail in caught] == [b"Subject: %d" % number for number in range(500)]
    assert len({mail.key for mail in caught}) == 500


def test_a_port_that_is_taken_says_what_to_do() -> None:
    """Another program's port is named, with another one to try."""
    with socket.create_server(("127.0.0.1", 0)) as other, Catcher(lambda _: None) as catcher:
        taken = other.getsockname()[1]
        with pytest.raises(CatcherError, match=rf"Port {taken} is taken .* Try 2525"):
            catcher.start(taken)
        assert catcher.port is None


@pytest.mark.parametrize("port", [-1, 65_536])
def test_what_is_no_port_is_refused(port: int) -> None:
    """A number that is no port is refused before anything is opened."""
    with Catcher(lambda _: None) as catcher, pytest.raises(CatcherError, match="is no port"):
        catcher.start(port)


def test_an_address_of_another_machine_is_refused() -> None:
    """An address that is not here is said to be none of this machine."""
    with Catcher(lambda _: None, host="192.0.2.1") as catcher, pytest.raises(CatcherError, match="no address of this"):
        catcher.start(0)


def test_it_can_be_started_again_while_somebody_is_connected(caught: list[Mail]) -> None:
    """Stopping ends open connections and frees the port."""
    with Catcher(caught.append) as catcher:
        port = catcher.start(0)
        with socket.create_connection(("127.0.0.1", port)) as held:
            assert held.recv(100).startswith(b"220")
            catcher.stop()
            assert catcher.port is None
            assert catcher.start(port) == port
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.send_message(_make())
    assert len(caught) == 1
