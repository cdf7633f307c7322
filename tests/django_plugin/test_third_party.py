"""Django's own mail, queues and providers: the real packages, with Mailnod around them and inside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import celery
import django
import pytest
from anymail.backends.base import AnymailBaseBackend
from anymail.backends.brevo import EmailBackend as Brevo
from anymail.backends.mailersend import EmailBackend as MailerSend
from anymail.backends.mailgun import EmailBackend as Mailgun
from anymail.backends.mailjet import EmailBackend as Mailjet
from anymail.backends.mailtrap import EmailBackend as Mailtrap
from anymail.backends.mandrill import EmailBackend as Mandrill
from anymail.backends.postal import EmailBackend as Postal
from anymail.backends.postmark import EmailBackend as Postmark
from anymail.backends.resend import EmailBackend as Resend
from anymail.backends.scaleway import EmailBackend as Scaleway
from anymail.backends.sendgrid import EmailBackend as SendGrid
from anymail.backends.sparkpost import EmailBackend as SparkPost
from anymail.backends.unisender_go import EmailBackend as UnisenderGo
from anymail.message import AnymailMessage, AnymailRecipientStatus
from anymail.signals import AnymailTrackingEvent, EventType
from anymail.signals import tracking as anymail_tracking
from celery.result import EagerResult
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.management import call_command

from contracts.mail_server import MailServer
from mailnod import Tracker, tracking
from mailnod.model import EventFilter
from mailnod.testing import FrozenClock
from mailnod_django import TrackedEmail

SetUp = Callable[..., Tracker]
HTML = '<body><a href="https://shop.example/">Shop</a></body>'
PIXEL, LINK = "https://track.example.com/t/o/", "https://track.example.com/t/c/"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
OURS = "mailnod_django.EmailBackend"
NEWS = {"news": {"track_opens": True, "track_clicks": True, "consent": "assumed"}}

#: These packages name backends in a way that MAILERS has replaced, or use what Django 6.0 has taken away.
no_mailers = pytest.mark.skipif(django.VERSION >= (6, 1), reason="the package does not know MAILERS")
until_6_0 = pytest.mark.skipif(django.VERSION >= (6, 0), reason="the package uses what Django 6.0 has taken away")


@pytest.fixture(scope="module")
def _tables() -> None:
    """Make the tables of every app, in memory."""
    call_command("migrate", verbosity=0)


@pytest.fixture
def database(_tables: None) -> Iterator[None]:
    """Empty the tables after a test."""
    yield
    call_command("flush", verbosity=0, interactive=False)


def make_message(**keywords: Any) -> TrackedEmail:
    """Return a message to one recipient."""
    message = TrackedEmail("Weekly", "text", "weekly@example.com", ["one@example.com"], **keywords)
    message.attach_alternative(HTML, "text/html")
    return message


def is_tracked(html: str) -> tuple[bool, bool]:
    """Return whether opens and clicks are tracked."""
    return PIXEL in html, LINK in html


# -- Django's own mail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routes", [NEWS, {"default": {"track_clicks": True, "consent": "required"}}])
def test_a_password_reset_is_not_tracked_by_default(
    set_up: SetUp, server: MailServer, database: None, routes: dict[str, Any]
) -> None:
    """A reset mail keeps its link, though another route tracks, or this one wants a consent that was never given."""
    templates = {"reset.txt": "{{ uid }}", "subject.txt": "Reset", "reset.html": "<a href='https://a.example/r'>x</a>"}
    loader = ("django.template.loaders.locmem.Loader", templates)
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [loader]}}
    set_up(ROUTES=routes, settings={"TEMPLATES": [engine]})
    user = User.objects.create_user("one", "one@example.com", "a long password")
    form = PasswordResetForm({"email": user.email})
    assert form.is_valid()
    form.save(
        domain_override="a.example",
        subject_template_name="subject.txt",
        email_template_name="reset.txt",
        html_email_template_name="reset.html",
    )
    (received,) = server.received
    assert received.html == templates["reset.html"]
    assert b"track.example.com" not in received.raw


@pytest.mark.parametrize("send", [mail.mail_admins, mail.mail_managers])
def test_mail_to_the_projects_staff_is_never_tracked(set_up: SetUp, server: MailServer, send: Any) -> None:
    """Error reports leave as they came, whatever the default route and the context say."""
    people: list[Any] = ["a@example.com", "b@example.com"]
    if django.VERSION < (6, 0):
        people = [("A", "a@example.com"), ("B", "b@example.com")]
    set_up(settings={"ADMINS": people, "MANAGERS": people})
    with tracking(track_opens=True):
        send("Error", "text", html_message=HTML)
    assert server.received[0].html == HTML
    mail.send_mail("x", "text", "weekly@example.com", ["a@example.com"], html_message=HTML)
    assert is_tracked(server.received[1].html) == (True, True)


# -- queues -----------------------------------------------------------------------------------------------------------


@no_mailers
def test_django_mailer_queues_the_tracked_copy(set_up: SetUp, server: MailServer, database: None) -> None:
    """Around django-mailer: what its worker sends is what was prepared, with the Message-ID of the delivery."""
    from mailer.engine import send_all

    tracker = set_up(
        inner="mailer.backend.DbBackend", settings={"MAILER_EMAIL_BACKEND": SMTP, "MAILER_USE_FILE_LOCK": False}
    )
    assert make_message(track_opens=False).send() == 1
    assert server.received == []
    send_all()
    (received,), (delivery,) = server.received, tracker.store.get_deliveries()
    assert is_tracked(received.html) == (False, True)
    assert received.message["Message-ID"] == delivery.envelope.message_id
    assert delivery.state == "accepted"


@no_mailers
def test_django_mailer_keeps_overrides_for_its_worker(set_up: SetUp, server: MailServer, database: None) -> None:
    """Inside django-mailer: attributes and headers are pickled, so the worker tracks as they say."""
    from mailer.engine import send_all

    set_up(
        settings={
            "EMAIL_BACKEND": "mailer.backend.DbBackend",
            "MAILER_EMAIL_BACKEND": OURS,
            "MAILER_USE_FILE_LOCK": False,
        }
    )
    make_message(track_opens=False).send()
    plain = EmailMultiAlternatives("x", "text", "weekly@example.com", ["two@example.com"])
    plain.attach_alternative(HTML, "text/html")
    plain.extra_headers["X-Mailnod-Track-Clicks"] = "false"
    plain.send()
    send_all()
    found = {received.recipients[0]: is_tracked(received.html) for received in server.received}
    assert found == {"one@example.com": (False, True), "two@example.com": (True, False)}


@pytest.fixture
def eager() -> Iterator[None]:
    """Let Celery run tasks at once."""
    conf = celery.current_app.conf
    conf.task_always_eager, conf.task_eager_propagates = True, True
    yield
    conf.task_always_eager = conf.task_eager_propagates = False


@until_6_0
def test_django_celery_email_takes_the_tracked_copy(set_up: SetUp, server: MailServer, eager: None) -> None:
    """Around django-celery-email: its tasks carry the copy, and their results come back to the caller."""
    tracker = set_up(inner="djcelery_email.backends.CeleryEmailBackend", settings={"CELERY_EMAIL_BACKEND": SMTP})
    sent: Any = make_message(track_opens=False).send()
    (result,) = sent
    assert isinstance(result, EagerResult)
    (received,), (delivery,) = server.received, tracker.store.get_deliveries()
    assert is_tracked(received.html) == (False, True)
    assert received.message["Message-ID"] == delivery.envelope.message_id
    assert delivery.state == "accepted"


@until_6_0
@pytest.mark.parametrize("named", [True, False])
def test_django_celery_email_carries_headers_and_named_attributes(
    set_up: SetUp, server: MailServer, eager: None, named: bool
) -> None:
    """Inside django-celery-email: headers always arrive, attributes only where its setting names them."""
    set_up(
        settings={
            "EMAIL_BACKEND": "djcelery_email.backends.CeleryEmailBackend",
            "CELERY_EMAIL_BACKEND": OURS,
            "CELERY_EMAIL_MESSAGE_EXTRA_ATTRIBUTES": ["track_opens"] if named else None,
        }
    )
    make_message(track_opens=False, headers={"X-Mailnod-Track-Clicks": "false"}).send()
    assert is_tracked(server.received[0].html) == (not named, False)
    assert "X-Mailnod-Track-Clicks" not in server.received[0].message


@no_mailers
def test_django_post_office_queues_the_tracked_copy(set_up: SetUp, server: MailServer, database: None) -> None:
    """Around django-post-office: its worker sends what was prepared; its answer, 0, is not taken for a failure."""
    from post_office.mail import send_queued

    tracker = set_up(inner="post_office.EmailBackend", settings={"POST_OFFICE": {"BACKENDS": {"default": SMTP}}})
    assert make_message(track_clicks=False).send() == 0
    send_queued()
    (received,), (delivery,) = server.received, tracker.store.get_deliveries()
    assert is_tracked(received.html) == (True, False)
    assert received.message["Message-ID"] == delivery.envelope.message_id
    assert delivery.state == "accepted"


@no_mailers
def test_mailnod_on_both_sides_of_a_queue_tracks_once(set_up: SetUp, server: MailServer, database: None) -> None:
    """What the outer backend has rewritten, the inner one leaves alone."""
    from post_office.mail import send_queued

    set_up(inner="post_office.EmailBackend", settings={"POST_OFFICE": {"BACKENDS": {"default": f"{__name__}.Inner"}}})
    make_message().send()
    send_queued()
    assert server.received[0].html.count(PIXEL) == server.received[0].html.count(LINK) == 1


if django.VERSION < (6, 1):
    from mailnod_django import EmailBackend

    class Inner(EmailBackend):
        """Ours, around Django's own."""

        def _open_inner(self, path: str, **options: Any) -> Any:
            return super()._open_inner(SMTP, **options)


# -- providers --------------------------------------------------------------------------------------------------------


TEST = "anymail.backends.test.EmailBackend"


def get_params(message: Any) -> dict[str, Any]:
    """Return what the provider was told."""
    params: dict[str, Any] = message.anymail_test_params
    return params


def test_the_provider_does_not_track_what_we_track(set_up: SetUp) -> None:
    """Our links go out, the provider is told to leave the mail alone, and its status stands on the caller's message."""
    tracker = set_up(inner=TEST)
    message: Any = AnymailMessage("Weekly", "text", "weekly@example.com", ["one@example.com"])
    message.attach_alternative(HTML, "text/html")
    message.track_opens, message.metadata, message.tags = True, {"run": 7}, ["a"]
    assert message.send() == 1
    params = get_params(mail.outbox[0])
    assert is_tracked(params["html_body"]) == (True, True)
    assert (params["track_opens"], params["track_clicks"]) == (False, False)
    assert params["metadata"] == {"run": 7}
    assert message.anymail_status.status == {"sent"}
    assert message.track_opens is True
    (delivery,) = tracker.store.get_deliveries()
    assert delivery.state == "accepted"
    assert delivery.envelope.metadata == {"run": "7"}


def test_the_provider_does_not_track_whom_we_may_not_track(set_up: SetUp) -> None:
    """Without consent neither tracks, whatever the message asks for."""
    set_up(inner=TEST, ROUTES={"default": {"consent": "required"}})
    make_message(track_opens=True, track_clicks=True).send()
    params = get_params(mail.outbox[0])
    assert params["html_body"] == HTML
    assert (params["track_opens"], params["track_clicks"]) == (False, False)


OFFLINE = {
    "Brevo": Brevo,
    "MailerSend": MailerSend,
    "Mailgun": Mailgun,
    "Mailjet": Mailjet,
    "Mailtrap": Mailtrap,
    "Mandrill": Mandrill,
    "Postal": Postal,
    "Postmark": Postmark,
    "Resend": Resend,
    "Scaleway": Scaleway,
    "SendGrid": SendGrid,
    "SparkPost": SparkPost,
    "UnisenderGo": UnisenderGo,
}
KEYS: dict[str, Any] = {
    f"{name.upper().replace('GO', '_GO')}_{key}": "https://esp.example/" if key == "API_URL" else "x"
    for name in (*OFFLINE, "postmark_server")
    for key in ("API_KEY", "SECRET_KEY", "API_TOKEN", "SERVER_TOKEN", "TOKEN", "PROJECT_ID", "API_URL", "SENDER_DOMAIN")
}


class _Offline:
    """A provider's backend that builds its whole request, and sends it nowhere."""

    built: list[Any] = []  # noqa: RUF012

    def post_to_esp(self, payload: Any, message: Any) -> None:
        """Keep the request."""
        payload.get_request_params("https://esp.example/")
        self.built.append(message)

    def parse_recipient_status(self, response: Any, payload: Any, message: Any) -> dict[str, Any]:
        """Say that all was sent."""
        return {"one@example.com": AnymailRecipientStatus(message_id="1", status="sent")}


for _name, _backend in OFFLINE.items():
    globals()[f"Offline{_name}"] = type(f"Offline{_name}", (_Offline, _backend), {})


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support")
@pytest.mark.parametrize("mode", ["ours", "esp"])
@pytest.mark.parametrize("name", OFFLINE)
def test_no_provider_refuses_a_mail_because_of_us(set_up: SetUp, name: str, mode: str) -> None:
    """Some providers know no switch and refuse even False, some take no metadata; to none is said what it refuses."""
    _Offline.built.clear()
    set_up(inner=f"{__name__}.Offline{name}", ESP_TRACKING=mode, settings={"ANYMAIL": KEYS})
    message = make_message(track_opens=True, track_clicks=True)
    assert message.send() == 1
    (built,) = _Offline.built
    assert is_tracked(built.alternatives[0][0]) == (mode == "ours", mode == "ours")
    assert vars(message)["anymail_status"].status == {"sent"}


def test_every_provider_of_the_package_is_tried() -> None:
    """A provider that django-anymail adds must be decided on; Amazon SES needs a package of its own."""
    names = {cls.__name__.removeprefix("Offline") for cls in _Offline.__subclasses__()}
    assert names == set(OFFLINE)
    assert all(issubclass(backend, AnymailBaseBackend) for backend in OFFLINE.values())


@pytest.mark.parametrize("mode", ["ours", "esp"])
def test_amazon_ses_gets_the_mail_as_we_decide(set_up: SetUp, mode: str) -> None:
    """Amazon's own kit sends our links, or the original with the delivery's token, and reports the mail as accepted."""
    # Both need the same package.
    stub = pytest.importorskip("botocore.stub", reason="boto3 is not installed")
    params = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    tracker = set_up(
        inner="anymail.backends.amazon_ses.EmailBackend",
        ESP_TRACKING=mode,
        settings={"ANYMAIL": {"AMAZON_SES_CLIENT_PARAMS": params}},
    )
    connection: Any = mail.get_connection()
    connection.open()
    sent: list[dict[str, Any]] = []
    connection.client.meta.events.register(
        "before-parameter-build.sesv2.SendEmail", lambda params, **_: sent.append(params)
    )
    with stub.Stubber(connection.client) as stubber:
        stubber.add_response("send_email", {"MessageId": "1"})
        assert connection.send_messages([make_message(track_opens=True, track_clicks=True)]) == 1
    ((raw),) = (request["Content"]["Raw"]["Data"] for request in sent)
    message = message_from_bytes(raw, policy=policy.default)
    body = message.get_body(("html",))
    assert body is not None
    assert is_tracked(body.get_content()) == (mode == "ours", mode == "ours")
    assert ("mailnod" in str(message["X-Metadata"])) == (mode == "esp")
    (delivery,) = tracker.store.get_deliveries()
    assert delivery.state == "accepted"


def report(kind: str, **values: Any) -> None:
    """Send an event as django-anymail's webhooks do."""
    event = AnymailTrackingEvent(
        event_type=kind, timestamp=datetime(2026, 3, 1, 9, 31, tzinfo=UTC), user_agent="Mozilla/5.0", **values
    )
    anymail_tracking.send(sender=object, event=event, esp_name="Test")


def test_the_provider_tracks_where_it_shall_and_its_events_come_into_the_store(
    set_up: SetUp, clock: FrozenClock
) -> None:
    """With ESP_TRACKING="esp" the mail is left alone, and opens and clicks are recorded once, with their source."""
    tracker = set_up(inner=TEST, ESP_TRACKING="esp")
    make_message(metadata={"run": "7"}).send()
    params = get_params(mail.outbox[0])
    assert params["html_body"] == HTML
    assert (params["track_opens"], params["track_clicks"]) == (True, True)
    assert params["metadata"].keys() == {"run", "mailnod"}
    for _ in range(2):
        report(EventType.OPENED, event_id="1", metadata=params["metadata"])
        report(EventType.CLICKED, event_id="2", metadata=params["metadata"], click_url="https://shop.example/")
        report(EventType.DELIVERED, event_id="3", metadata=params["metadata"])
    clock.advance(120)
    tracker.work_once()
    records = tracker.store.get_events(EventFilter())
    assert sorted(record.event.type for record in records) == ["message.clicked", "message.opened"]
    assert {record.event.url for record in records} == {None, "https://shop.example/"}
    for record in records:
        assert record.observation.hit.headers == {"via": "django-anymail Test"}
        assert record.observation.hit.user_agent == "Mozilla/5.0"
        assert record.delivery is not None
        assert record.delivery.recipient == "one@example.com"
        assert record.delivery.state == "accepted"


@pytest.mark.parametrize("consent", ["required", "assumed"])
def test_the_provider_tracks_only_what_we_may(set_up: SetUp, consent: str) -> None:
    """Routes, overrides and consent decide for the provider too."""
    set_up(inner=TEST, ESP_TRACKING="esp", ROUTES={"default": {"track_opens": True, "consent": consent}})
    make_message().send()
    params = get_params(mail.outbox[0])
    assert (params["track_opens"], params["track_clicks"]) == (consent == "assumed", False)
    assert ("metadata" in params) is (consent == "assumed")


def test_events_of_other_mail_are_passed_over(set_up: SetUp, clock: FrozenClock) -> None:
    """Without a token, with a forged one, for an axis that was not tracked, or too late: nothing is recorded."""
    tracker = set_up(inner=TEST, ESP_TRACKING="esp", ROUTES={"default": {"track_opens": True, "consent": "assumed"}})
    make_message().send()
    metadata = get_params(mail.outbox[0])["metadata"]
    report(EventType.OPENED, metadata={})
    report(EventType.OPENED, metadata={"mailnod": "A" * 32})
    report(EventType.CLICKED, metadata=metadata, click_url="https://shop.example/")
    clock.advance(40 * 86_400)
    report(EventType.OPENED, metadata=metadata)
    tracker.work_once()
    assert tracker.store.get_events(EventFilter()) == []
