"""The backend: what the one that sends does stays as it is, and every message's fate is noted."""

from __future__ import annotations

import pickle
import smtplib
from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.apps import apps
from django.core import mail
from django.core.mail import EmailAlternative, EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.test.utils import override_settings
from django.utils.safestring import mark_safe

from contracts.mail_server import MailServer
from mailnod import Tracker
from mailnod_django import TrackedEmail, send_mail, send_mass_mail, tracking
from mailnod_django.backend import TrackedMail
from mailnod_django.message import BadHeaderError
from mailnod_django.signals import mail_tracked

SetUp = Callable[..., Tracker]
HTML = '<body><a href="https://shop.example/">Shop</a></body>'
PIXEL, LINK = "https://track.example.com/t/o/", "https://track.example.com/t/c/"
HERE = __name__

pytestmark = [
    # Django 6.1 gives fail_silently and connections up; as long as they are there they must work.
    pytest.mark.filterwarnings("ignore:The 'fail_silently'"),
    pytest.mark.filterwarnings("ignore:The 'connection'"),
    pytest.mark.filterwarnings("ignore:The 'auth_user'"),
    pytest.mark.filterwarnings("ignore:get_connection"),
    pytest.mark.filterwarnings("ignore:BaseEmailBackend"),
    pytest.mark.filterwarnings(r"ignore:.*does not support 'fail_silently'"),
]


class PickyServer(MailServer):
    """A mail server that refuses some recipients, and counts connections."""

    def __init__(self) -> None:
        super().__init__()
        self.connections = -1

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse whoever is called so."""
        if address.startswith("refused"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def factory(self) -> SMTP:
        """Count a connection; the first is the controller's own."""
        self.connections += 1
        return super().factory()


class QuietBackend(BaseEmailBackend):
    """Puts messages aside as a queue does: nothing of it shows which ones it took."""

    kept: list[EmailMessage] = []  # noqa: RUF012
    answer: Any = None
    #: What the last one was made with.
    options: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, **options: Any) -> None:
        super().__init__()
        type(self).options = options
        self.fail_silently = options.get("fail_silently", False)

    def send_messages(self, email_messages: Any) -> Any:
        """Keep messages, and mark them."""
        if isinstance(self.answer, Exception):
            raise self.answer
        for message in email_messages:
            message.queue_status = "queued"
            message.body += " changed by the queue"
            type(self).kept.append(message)
        return self.answer


class WholeBackend(QuietBackend):
    """Has a ``_send`` that it never calls."""

    def _send(self, message: EmailMessage) -> bool:
        raise AssertionError


class StagingSMTPBackend(SMTPBackend):
    """Changes what it is given just before it leaves, as a backend for staging does."""

    def send_messages(self, email_messages: Any) -> Any:
        """Send everything to one inbox, with a note."""
        for message in email_messages:
            message.to = ["staging@example.com"]
            message.from_email = "staging@example.com"
            message.alternatives = [one._replace(content=f"{one[0]}<!-- staging -->") for one in message.alternatives]
        return super().send_messages(email_messages)


@pytest.fixture
def server() -> Iterator[PickyServer]:
    """Give a mail server that refuses some people."""
    server = PickyServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def empty_queue() -> Iterator[None]:
    """Begin and end with an empty queue."""
    QuietBackend.kept.clear()
    yield
    QuietBackend.kept.clear()
    QuietBackend.answer = None


def make_message(to: str = "one@example.com", **keywords: Any) -> TrackedEmail:
    """Return a message to one recipient."""
    message = TrackedEmail("Weekly", "text", "weekly@example.com", [to], **keywords)
    message.attach_alternative(HTML, "text/html")
    return message


def read_states(tracker: Tracker) -> dict[str, str]:
    """Return the state of each delivery, by its recipient."""
    return {str(delivery.recipient): str(delivery.state) for delivery in tracker.store.get_deliveries()}


BULK = ("one@example.com", "refused@example.com", "three@example.com")


# -- bodies that come again -------------------------------------------------------------------------------------------


def test_a_backend_that_changes_messages_has_the_last_word(set_up: SetUp, server: PickyServer) -> None:
    """Recipients and text that the backend sets before it sends are those that leave, however often a body comes."""
    set_up(inner=f"{HERE}.StagingSMTPBackend")
    mail.get_connection().send_messages([make_message() for _ in range(4)])
    assert [received.recipients for received in server.received] == [("staging@example.com",)] * 4
    assert ["<!-- staging -->" in received.html for received in server.received] == [True] * 4
    assert all(LINK in received.html for received in server.received)


def test_a_receiver_that_changes_a_copy_has_a_say_each_time(set_up: SetUp, server: PickyServer) -> None:
    """What a receiver of the signal puts into the copy leaves, however often the body has come."""
    set_up()

    def add_note(mail: TrackedMail, **_: Any) -> None:
        message: Any = mail.message
        message.alternatives = [one._replace(content=f"{one[0]}<!-- note -->") for one in message.alternatives]

    mail_tracked.connect(add_note)
    try:
        mail.get_connection().send_messages([make_message() for _ in range(4)])
    finally:
        mail_tracked.disconnect(add_note)
    assert ["<!-- note -->" in received.html for received in server.received] == [True] * 4


# -- the conversation -------------------------------------------------------------------------------------------------


def test_a_bulk_goes_over_one_connection(set_up: SetUp, server: PickyServer) -> None:
    """Several messages are one call of the backend that sends, which says how many it sent."""
    tracker = set_up()
    sent = mail.get_connection().send_messages([make_message(f"{name}@example.com") for name in "abc"])
    assert (sent, server.connections, len(server.received)) == (3, 1, 3)
    assert len({received.html for received in server.received}) == 3
    assert set(read_states(tracker).values()) == {"accepted"}


def test_a_generator_is_asked_for_a_batch_ahead(set_up: SetUp, server: PickyServer) -> None:
    """The messages of a large campaign need not all be in memory, and leave over one connection in order."""
    tracker = set_up()
    made: list[str] = []
    ahead: list[int] = []
    server.on_mail = lambda: ahead.append(len(made) - len(server.received))

    # The type hints of Django's backends know sequences alone.
    def make() -> Any:
        for number in range(205):
            made.append(f"{number}@example.com")
            yield make_message(made[-1])

    assert mail.get_connection().send_messages(make()) == 205
    assert [received.recipients for received in server.received] == [(person,) for person in made]
    assert max(ahead) == 100
    assert server.connections == 1
    assert tracker.store.get_metrics()[0].deliveries == 205


def test_a_generator_that_fails_keeps_no_mail_before_from_leaving(set_up: SetUp, server: PickyServer) -> None:
    """What was made before the failure leaves, and then the error comes out."""
    tracker = set_up()

    # The type hints of Django's backends know sequences alone.
    def make() -> Any:
        yield make_message("one@example.com")
        yield make_message("two@example.com")
        raise LookupError("the app's own trouble")

    with pytest.raises(LookupError, match="own trouble"):
        mail.get_connection().send_messages(make())
    assert [received.recipients for received in server.received] == [("one@example.com",), ("two@example.com",)]
    assert read_states(tracker) == {"one@example.com": "accepted", "two@example.com": "accepted"}


def test_an_open_connection_serves_several_calls(set_up: SetUp, server: PickyServer) -> None:
    """A connection that is opened by hand stays open until it is closed."""
    set_up()
    with mail.get_connection() as connection:
        connection.send_messages([make_message()])
        connection.send_messages([make_message()])
    assert (server.connections, len(server.received)) == (1, 2)


def test_a_bulk_that_stops_half_way_counts_what_left(set_up: SetUp, server: PickyServer) -> None:
    """The server's error reaches the caller; messages before it are accepted, it and those after it failed."""
    tracker = set_up()
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mail.get_connection().send_messages([make_message(name) for name in BULK])
    assert len(server.received) == 1
    assert read_states(tracker) == dict(zip(BULK, ("accepted", "failed", "failed"), strict=True))


def test_failing_silently_counts_message_by_message(set_up: SetUp, server: PickyServer) -> None:
    """Without an error the number of mails sent is Django's, and each delivery says how it went."""
    tracker = set_up()
    sent = mail.get_connection(fail_silently=True).send_messages([make_message(name) for name in BULK])
    assert (sent, len(server.received)) == (2, 2)
    assert read_states(tracker) == dict(zip(BULK, ("accepted", "failed", "accepted"), strict=True))


def test_a_server_that_is_away_fails_loudly_or_silently_as_asked(set_up: SetUp, server: PickyServer) -> None:
    """Without a server, send() raises or returns 0, and the delivery failed."""
    # Nothing listens there.
    server.port = 1
    tracker = set_up()
    with pytest.raises(OSError, match="refused"):
        make_message("loud@example.com").send()
    assert not make_message("quiet@example.com").send(fail_silently=True)
    assert read_states(tracker) == {"loud@example.com": "failed", "quiet@example.com": "failed"}


def test_a_bad_header_of_ours_is_refused_before_anything_is_sent(set_up: SetUp, server: PickyServer) -> None:
    """Not even failing silently swallows it, and no message of the bulk leaves."""
    set_up()
    bad = make_message(headers={"X-Mailnod-Route": "news\nBcc: two@example.com"})
    with pytest.raises(BadHeaderError):
        mail.get_connection(fail_silently=True).send_messages([make_message(), bad])
    assert server.received == []


def test_nothing_to_send_is_not_an_error(set_up: SetUp, server: PickyServer) -> None:
    """An empty bulk, and a message to nobody, are what Django makes of them."""
    set_up()
    assert mail.get_connection().send_messages([]) == 0
    assert TrackedEmail("x", "y", "z@example.com", []).send() == 0
    assert server.connections in (-1, 0)


# -- backends of which nothing is seen --------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["QuietBackend", "WholeBackend"])
@pytest.mark.parametrize("answer", [None, 0, 2, ["task 1", "task 2"], True])
def test_what_the_backend_returns_is_returned(set_up: SetUp, backend: str, answer: Any) -> None:
    """Counts, nothing, or the tasks of a queue: the caller gets them, and without an error everything was taken."""
    tracker = set_up(inner=f"{HERE}.{backend}")
    QuietBackend.answer = answer
    sent = mail.get_connection().send_messages([make_message("a@example.com"), make_message("b@example.com")])
    assert sent is answer
    assert read_states(tracker) == {"a@example.com": "accepted", "b@example.com": "accepted"}


@pytest.mark.parametrize(
    ("backend", "count", "state"),
    [("QuietBackend", 1, "failed"), ("QuietBackend", 2, "prepared"), ("WholeBackend", 2, "failed")],
)
def test_an_error_says_as_much_as_it_can(set_up: SetUp, backend: str, count: int, state: str) -> None:
    """One message failed; of several nobody knows which left, unless none was seen leaving; they stay prepared."""
    tracker = set_up(inner=f"{HERE}.{backend}")
    QuietBackend.answer = ConnectionError("away")
    with pytest.raises(ConnectionError):
        mail.get_connection().send_messages([make_message(f"{number}@example.com") for number in range(count)])
    assert set(read_states(tracker).values()) == {state}


@pytest.mark.parametrize(
    ("backend", "answer", "state"),
    [("QuietBackend", 2, "accepted"), ("QuietBackend", 1, "prepared"), ("WholeBackend", 0, "failed")],
)
def test_silence_is_not_taken_for_success(set_up: SetUp, backend: str, answer: int, state: str) -> None:
    """A backend that may fail silently took everything only if it says so."""
    tracker = set_up(inner=f"{HERE}.{backend}")
    QuietBackend.answer = answer
    messages = [make_message("a@example.com"), make_message("b@example.com")]
    mail.get_connection(fail_silently=True).send_messages(messages)
    assert set(read_states(tracker).values()) == {state}


def test_what_sending_sets_on_the_copy_stands_on_the_message(set_up: SetUp) -> None:
    """New attributes come back to the caller's message; its texts, headers and connection are left alone."""
    set_up(inner=f"{HERE}.QuietBackend")
    message = make_message(headers={"X-Mailnod-Route": "default"})
    message.send()
    assert vars(message)["queue_status"] == "queued"
    assert message.body == "text"
    assert message.alternatives == [(HTML, "text/html")]
    assert message.extra_headers == {"X-Mailnod-Route": "default"}


def test_the_copy_can_be_pickled(set_up: SetUp) -> None:
    """Queues pickle what they are given, so no connection hangs on the copy, tracked or not."""
    set_up(inner=f"{HERE}.QuietBackend")
    make_message().send()
    make_message(track_opens=False, track_clicks=False).send()
    tracked, plain = (pickle.loads(pickle.dumps(message)) for message in QuietBackend.kept)
    assert PIXEL in tracked.alternatives[0][0]
    assert plain.alternatives[0][0] == HTML
    assert (plain.track_opens, plain.track_clicks) == (False, False)


def test_a_wish_to_be_tracked_goes_no_further(set_up: SetUp) -> None:
    """Without consent a provider behind a queue must not find the wish on the copy; a refusal stays on it."""
    set_up(inner=f"{HERE}.QuietBackend", ROUTES={"default": {"consent": "required"}})
    message = make_message(track_opens=True, track_clicks=False)
    message.send()
    (copied,) = QuietBackend.kept
    assert "track_opens" not in vars(copied)
    assert vars(copied)["track_clicks"] is False
    assert vars(message)["track_opens"] is True


def test_what_is_no_message_of_djangos_passes_through(set_up: SetUp, caplog: pytest.LogCaptureFixture) -> None:
    """An object that only the backend understands reaches it as it is, and costs a line in the log."""

    class Letter:
        __slots__ = ("body", "queue_status")

        def __init__(self) -> None:
            self.body = "Dear all"

    set_up(inner=f"{HERE}.QuietBackend")
    letter: Any = Letter()
    mail.get_connection().send_messages([letter])
    assert QuietBackend.kept == [letter]
    assert "sent untracked" in caplog.text
    assert "Dear" not in caplog.text


# -- the copy ---------------------------------------------------------------------------------------------------------


def test_a_tracked_mail_keeps_one_message_id(set_up: SetUp, server: PickyServer) -> None:
    """Django makes a new Message-ID each time a message is serialised; the delivery's is the one that leaves."""
    tracker = set_up()
    message = make_message()
    message.send()
    (delivery,) = tracker.store.get_deliveries()
    assert server.received[0].message["Message-ID"] == delivery.envelope.message_id
    assert "Message-ID" not in message.extra_headers


def test_a_message_id_of_the_callers_is_kept(set_up: SetUp, server: PickyServer) -> None:
    """In whatever case its name is written."""
    tracker = set_up()
    make_message(headers={"message-id": "<mine@example.com>"}).send()
    assert server.received[0].message.get_all("Message-ID") == ["<mine@example.com>"]
    assert tracker.store.get_deliveries()[0].envelope.message_id == "<mine@example.com>"


def test_every_html_part_is_rewritten_and_nothing_else(set_up: SetUp) -> None:
    """All HTML alternatives carry one delivery's token; AMP, calendars and their order stay; types stay."""
    tracker = set_up(inner=f"{HERE}.QuietBackend")
    message = make_message()
    for kind in ("text/x-amp-html", "text/calendar", "TEXT/HTML"):
        message.attach_alternative(HTML, kind)
    message.send()
    (copied,) = QuietBackend.kept
    assert isinstance(copied, EmailMultiAlternatives)
    assert [kind for _, kind in copied.alternatives] == ["text/html", "text/x-amp-html", "text/calendar", "TEXT/HTML"]
    assert [PIXEL in str(content) for content, _ in copied.alternatives] == [True, False, False, True]
    assert copied.alternatives[0][0] == copied.alternatives[3][0]
    assert all(isinstance(alternative, EmailAlternative) for alternative in copied.alternatives)
    assert len(tracker.store.get_deliveries()) == 1


def test_an_html_body_is_rewritten(set_up: SetUp, server: PickyServer) -> None:
    """A plain EmailMessage whose content_subtype is html is tracked in its body."""
    set_up()
    message = EmailMessage("Weekly", HTML, "weekly@example.com", ["one@example.com"])
    message.content_subtype = "html"
    message.send()
    assert PIXEL in server.received[0].html
    assert message.body == HTML


@pytest.mark.parametrize("content", [mark_safe(HTML), HTML.encode(), bytearray(HTML.encode())])
def test_safe_strings_and_bytes_are_rewritten_as_what_they_are(set_up: SetUp, content: Any) -> None:
    """Texts of templates and bytes are taken; bytes stay bytes, and what is neither is left alone."""
    set_up(inner=f"{HERE}.QuietBackend")
    message = make_message()
    message.alternatives = []
    message.attach_alternative(content, "text/html")
    message.send()
    (copied,) = QuietBackend.kept
    got: Any = vars(copied)["alternatives"][0][0]
    assert isinstance(got, (str, bytes, bytearray))
    assert (PIXEL.encode() in got) if isinstance(content, bytes) else isinstance(content, bytearray) or PIXEL in got


def test_bytes_that_are_no_text_leave_as_they_came(set_up: SetUp) -> None:
    """What cannot be decoded is not rewritten."""
    set_up(inner=f"{HERE}.QuietBackend")
    message = make_message()
    message.alternatives = [EmailAlternative(b"<body>\xff</body>", "text/html")]
    message.send()
    assert vars(QuietBackend.kept[0])["alternatives"][0][0] == b"<body>\xff</body>"


def test_a_message_that_signs_itself_signs_what_leaves(set_up: SetUp, server: PickyServer) -> None:
    """An override of message() runs on the tracked copy."""

    class Signed(TrackedEmail):
        def message(self, **keywords: Any) -> Any:
            made = super().message(**keywords)
            made["X-Signed-Length"] = str(len(str(self.alternatives[0][0])))
            return made

    set_up()
    message = Signed("Weekly", "text", "weekly@example.com", ["one@example.com"])
    message.attach_alternative(HTML, "text/html")
    message.send()
    assert int(server.received[0].message["X-Signed-Length"]) == len(server.received[0].html) > len(HTML)


# -- one mail for each recipient --------------------------------------------------------------------------------------


def split_to(*names: str) -> TrackedEmail:
    """Return a message that is to be split."""
    return make_message(names[0], cc=list(names[1:-1]), bcc=list(names[-1:]), recipient_mode="split")


def test_a_split_message_counts_once(set_up: SetUp, server: PickyServer) -> None:
    """Copies go over one connection with equal Message-ID and date, and the caller's count is of messages."""
    tracker = set_up()
    sent = mail.get_connection().send_messages([split_to("a@example.com", "b@example.com", "c@example.com")])
    assert (sent, server.connections) == (1, 1)
    assert [received.recipients for received in server.received] == [(f"{name}@example.com",) for name in "abc"]
    for name in ("Message-ID", "Date", "To", "Cc"):
        assert len({str(received.message[name]) for received in server.received}) == 1
    assert read_states(tracker) == dict.fromkeys(["a@example.com", "b@example.com", "c@example.com"], "accepted")


def test_a_refused_recipient_keeps_no_other_from_their_mail(set_up: SetUp, server: PickyServer) -> None:
    """As with one body, refused recipients are an error only where all of them are refused."""
    tracker = set_up()
    assert split_to("refused@example.com", "b@example.com", "refused2@example.com").send() == 1
    assert [received.recipients for received in server.received] == [("b@example.com",)]
    states = {"refused@example.com": "failed", "b@example.com": "accepted", "refused2@example.com": "failed"}
    assert read_states(tracker) == states
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        split_to("refused@example.com", "refused2@example.com").send()


def test_a_backend_that_asks_nobody_for_recipients_gets_one_body(set_up: SetUp) -> None:
    """Queues and providers read To, Cc and Bcc themselves, and would send each copy to everybody."""
    tracker = set_up(inner=f"{HERE}.QuietBackend")
    split_to("a@example.com", "b@example.com").send()
    (copied,) = QuietBackend.kept
    assert copied.recipients() == ["a@example.com", "b@example.com"]
    assert len(tracker.store.get_deliveries()) == 1


def test_split_copies_in_djangos_outbox_know_whom_they_are_for(set_up: SetUp) -> None:
    """Django copies what it puts into its outbox, addresses included."""
    set_up(inner="django.core.mail.backends.locmem.EmailBackend")
    assert split_to("a@example.com", "b@example.com").send() == 1
    assert [kept.recipients() for kept in mail.outbox] == [["a@example.com"], ["b@example.com"]]


# -- shortcuts --------------------------------------------------------------------------------------------------------


def test_send_mail_takes_override_keywords(set_up: SetUp, server: PickyServer) -> None:
    """It is Django's own, with keywords; a misspelt one is refused."""
    set_up()
    to = ("Weekly", "text", "weekly@example.com", ["one@example.com"])
    assert send_mail(*to, html_message=HTML, track_opens=False) == 1
    assert send_mail(*to, html_message=HTML, fail_silently=True, track_clicks=False) == 1
    assert send_mail(*to, html_message=HTML, connection=mail.get_connection(), fail_silently=True) == 1
    assert [(PIXEL in received.html, LINK in received.html) for received in server.received] == [
        (False, True),
        (True, False),
        (True, True),
    ]
    with pytest.raises(TypeError, match="track_opens"):
        send_mail(*to, html_message=HTML, track_open=False)


def test_send_mail_logs_in_as_it_is_told(set_up: SetUp) -> None:
    """A user and a password reach the backend that sends."""
    set_up(inner=f"{HERE}.QuietBackend")
    send_mail("x", "y", "z@example.com", ["one@example.com"], auth_user="me", auth_password="secret")
    assert QuietBackend.options["username"] == "me"
    assert QuietBackend.options["password"] == "secret"


def test_send_mass_mail_sends_over_one_connection(set_up: SetUp, server: PickyServer) -> None:
    """A fifth element of a tuple is the HTML text; keywords count for all."""
    tracker = set_up()
    data = [
        ("A", "text", "weekly@example.com", ["a@example.com"], HTML),
        ("B", "text", "weekly@example.com", ["b@example.com"]),
    ]
    assert send_mass_mail(data, campaign="spring") == 2
    assert server.connections == 1
    assert [PIXEL in received.html for received in server.received] == [True, False]
    (delivery,) = tracker.store.get_deliveries()
    assert delivery.envelope.campaign == "spring"


def test_the_context_manager_reaches_third_party_code(set_up: SetUp, server: PickyServer) -> None:
    """Code that knows nothing of Mailnod sends as the block around it wishes."""
    set_up()
    with tracking(track_opens=False):
        mail.send_mail("x", "y", "z@example.com", ["one@example.com"], html_message=HTML)
    assert (PIXEL in server.received[0].html, LINK in server.received[0].html) == (False, True)


def test_a_keyword_of_send_counts_for_its_own_message(set_up: SetUp, server: PickyServer) -> None:
    """A message that is sent while another one is being sent is not taken for it."""
    set_up()

    class Chatty(TrackedEmail):
        def message(self, **keywords: Any) -> Any:
            make_message("inner@example.com").send()
            return super().message(**keywords)

    outer = Chatty("Weekly", "text", "weekly@example.com", ["outer@example.com"])
    outer.attach_alternative(HTML, "text/html")
    outer.send(track_opens=False)
    found = {received.recipients[0]: PIXEL in received.html for received in server.received}
    assert found == {"inner@example.com": True, "outer@example.com": False}


def test_keywords_of_a_message_are_checked_when_it_is_made() -> None:
    """A misspelt keyword of Django's or of ours is refused with the nearest one."""
    with pytest.raises(TypeError, match="'recipient|did you mean 'track_opens'"):
        TrackedEmail("x", track_open=True)
    with pytest.raises(TypeError, match="did you mean 'headers'"):
        TrackedEmail("x", header={})
    assert "track_opens" not in vars(TrackedEmail("x", track_opens=None))


# -- without the app, and with MAILERS --------------------------------------------------------------------------------


def test_without_the_app_mail_goes_out_untracked(
    set_up: SetUp, server: PickyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Where INSTALLED_APPS lacks us, mail still leaves, our headers do not, and the log says what to do."""
    set_up()
    left = [config.name for config in apps.get_app_configs() if config.name != "mailnod_django"]
    with override_settings(INSTALLED_APPS=left):
        make_message(headers={"X-Mailnod-Track-Opens": "true"}).send()
    (received,) = server.received
    assert received.html == HTML
    assert "X-Mailnod-Track-Opens" not in received.message
    assert "INSTALLED_APPS" in caplog.text


def test_attributes_of_the_backend_that_sends_are_found(set_up: SetUp) -> None:
    """Code that looks at the connection finds what it looks for, and an unknown name is an AttributeError."""
    set_up()
    connection: Any = mail.get_connection()
    assert connection.host == "127.0.0.1"
    with pytest.raises(AttributeError):
        _ = connection.hosts


if django.VERSION >= (6, 1):

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({}, "must define 'mailer'"),
            ({"mailer": "outer"}, "is Mailnod itself"),
            ({"mailer": "inne"}, "did you mean 'inner'"),
            ({"mailer": "inner", "hots": "x"}, "'hots'"),
        ],
    )
    def test_wrong_options_of_our_mailer_are_refused(set_up: SetUp, options: dict[str, str], complaint: str) -> None:
        """MAILERS says which mailer sends, and nothing else."""
        ours = {"BACKEND": "mailnod_django.EmailBackend", "OPTIONS": options}
        inner = {"BACKEND": f"{HERE}.QuietBackend"}
        set_up(settings={"MAILERS": {"default": ours, "outer": ours, "inner": inner}})
        with pytest.raises(mail.InvalidMailer, match=complaint):
            _ = mail.mailers.default

    def test_a_mailer_is_chosen_by_using(set_up: SetUp, server: PickyServer) -> None:
        """Each mailer of ours hands its messages to its own, and others are not tracked."""
        smtp = {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}
        smtp["OPTIONS"] = {"host": "127.0.0.1", "port": server.port}  # type: ignore[assignment]
        quiet = {"BACKEND": f"{HERE}.QuietBackend"}
        ours = {
            name: {"BACKEND": "mailnod_django.EmailBackend", "OPTIONS": {"mailer": f"{name} inside"}}
            for name in ("default", "bulk")
        }
        set_up(settings={"MAILERS": {**ours, "default inside": smtp, "bulk inside": quiet}})
        make_message().send(using="bulk")
        make_message().send(using="default inside", track_opens=True)
        send_mail("x", "y", "z@example.com", ["a@example.com"], html_message=HTML, using="bulk")
        send_mass_mail([("x", "y", "z@example.com", ["a@example.com"], HTML)], using="bulk")
        assert [PIXEL in str(vars(message)["alternatives"]) for message in QuietBackend.kept] == [True] * 3
        assert [received.html for received in server.received] == [HTML]

else:

    def test_using_needs_a_newer_django(set_up: SetUp) -> None:
        """Where there are no MAILERS, naming one is refused."""
        set_up()
        with pytest.raises(TypeError, match="using"):
            send_mass_mail([], using="bulk")
