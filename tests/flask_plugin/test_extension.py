"""The extension: setting apps up, and every way in which Flask-Mail sends."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import flask
import flask_mail
import pytest
from markupsafe import Markup

from contracts.mail_server import MailServer
from mailnod import ConfigurationError, tracking
from mailnod.model import DeliveryState, Mode
from mailnod.testing import FrozenClock
from mailnod_flask import Mail, Message
from mailnod_flask.connection import TrackedMail, mail_tracked
from mailnod_flask.testing import tracked_outbox

MakeApp = Callable[..., flask.Flask]
HTML = '<body><a href="https://shop.example/">Shop</a></body>'
PIXEL, LINK = "https://track.example.com/t/o/", "https://track.example.com/t/c/"


def make_message(*, subject: str = "Weekly", **keywords: Any) -> Message:
    """Return a message to one recipient."""
    return Message(subject, recipients=["one@example.com"], body="text", html=HTML, **keywords)


# -- setting up -------------------------------------------------------------------------------------------------------


def test_one_mail_object_serves_several_apps(make_app: MakeApp, server: MailServer) -> None:
    """Each app keeps its own tracker and settings."""
    mail = Mail(load_entry_points=False)
    loud, quiet = make_app(), make_app(MAILNOD_ROUTES={})
    for app in (loud, quiet):
        mail.init_app(app)
    for app in (loud, quiet):
        with app.app_context():
            mail.send(make_message())
    assert [PIXEL in mail.html for mail in server.received] == [True, False]
    assert loud.extensions["mailnod"] is not quiet.extensions["mailnod"]


def test_consent_sources_of_a_second_mail_are_not_dropped_in_silence(make_app: MakeApp) -> None:
    """An app has one tracker: plugins that come after it was made are refused, because nobody would ask them."""
    app = make_app()
    Mail(app)
    with pytest.raises(ConfigurationError, match="first Mail"):
        Mail(app, plugins=[object()])


def test_setting_up_twice_changes_nothing(make_app: MakeApp) -> None:
    """A second Mail on an app uses the tracker that is there, and the collector is not wrapped again."""
    app = make_app()
    Mail(app, load_entry_points=False)
    tracker, wsgi_app = app.extensions["mailnod"], app.wsgi_app
    Mail(app, load_entry_points=False)
    assert app.extensions["mailnod"] is tracker
    assert app.wsgi_app is wsgi_app


def test_setting_up_again_with_other_settings_is_refused(make_app: MakeApp) -> None:
    """Two trackers on one app would send mail whose links the first one does not know."""
    app = make_app()
    Mail(app, load_entry_points=False)
    app.config["MAILNOD_BASE_URL"] = "https://elsewhere.example/t"
    with pytest.raises(ConfigurationError, match="init_app once"):
        Mail(app, load_entry_points=False)


def test_another_extension_that_takes_the_apps_mail_state_does_not_stop_tracking(
    make_app: MakeApp, server: MailServer
) -> None:
    """Some extensions set Flask-Mail up again for themselves; our own Mail still tracks."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    flask_mail.Mail(app)
    with app.app_context():
        mail.send(make_message())
    assert PIXEL in server.received[0].html


def test_an_app_with_flask_mail_alone_sends_untracked(make_app: MakeApp, server: MailServer) -> None:
    """Our Mail on an app that nobody set up for Mailnod sends as Flask-Mail does, without our headers."""
    app = make_app()
    flask_mail.Mail(app)
    with app.app_context():
        Mail().send(make_message(extra_headers={"X-Mailnod-Track-Opens": "true"}))
    assert server.received[0].html == HTML
    assert "X-Mailnod-Track-Opens" not in server.received[0].message


def test_an_app_without_any_mail_is_named_in_the_error(make_app: MakeApp) -> None:
    """Sending on an app without a mail state says what to call."""
    with make_app().app_context(), pytest.raises(RuntimeError, match="init_app"):
        Mail().connect()


def test_the_store_lies_in_the_instance_folder(make_app: MakeApp) -> None:
    """Without MAILNOD_DATABASE the store is mailnod.db in app.instance_path, which the first tracked mail makes."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    path = app.extensions["mailnod"].settings.database
    assert path.parent == type(path)(app.instance_path)
    assert not path.parent.exists()
    with app.app_context():
        mail.send(make_message())
    assert path.name == "mailnod.db"
    assert path.exists()


# -- ways to send -----------------------------------------------------------------------------------------------------


def test_send_message_takes_override_keywords(make_app: MakeApp, server: MailServer) -> None:
    """Keywords of both kinds can stand in one call, on Mail and on a connection."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    arguments: dict[str, Any] = {"recipients": ["one@example.com"], "html": HTML, "track_opens": False}
    with app.app_context():
        mail.send_message("Weekly", **arguments)
        with mail.connect() as connection:
            connection.send_message("Weekly", **arguments)
        app.extensions["mail"].send_message("Weekly", **arguments)
    assert [(PIXEL in mail.html, LINK in mail.html) for mail in server.received] == [(False, True)] * 3


def test_each_mail_of_a_connection_has_its_own_overrides(make_app: MakeApp, server: MailServer) -> None:
    """Keywords of connection.send() count for that message alone."""
    app = make_app()
    with app.app_context(), Mail(app, load_entry_points=False).connect() as connection:
        connection.send(make_message(), track_opens=False)
        connection.send(make_message())
        make_message().send(connection)
    assert [PIXEL in mail.html for mail in server.received] == [False, True, True]


def test_a_message_class_of_its_own_send_is_respected(make_app: MakeApp, server: MailServer) -> None:
    """Mail.send() goes through Message.send(), as Flask-Mail's does, and keeps the call's keywords."""
    seen = []

    class Signed(flask_mail.Message):
        def send(self, connection: flask_mail.Connection) -> None:
            seen.append(self.subject)
            super().send(connection)

    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context():
        mail.send(Signed("Weekly", recipients=["one@example.com"], html=HTML), track_clicks=False)
    assert seen == ["Weekly"]
    assert PIXEL in server.received[0].html
    assert LINK not in server.received[0].html


def test_a_campaign_respects_a_message_class_of_its_own_send(make_app: MakeApp, server: MailServer) -> None:
    """Among others such a message is sent by itself, in its place, with the call's keywords."""

    class Signed(flask_mail.Message):
        def send(self, connection: flask_mail.Connection) -> None:
            self.subject = "signed"
            super().send(connection)

    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context(), mail.connect() as connection:
        signed = Signed("Weekly", recipients=["one@example.com"], html=HTML)
        connection.send_all([make_message(), signed, make_message()], track_clicks=False)
        connection.send_all([make_message()])
    assert [mail.message["Subject"] for mail in server.received] == ["Weekly", "signed", "Weekly", "Weekly"]
    assert [LINK in mail.html for mail in server.received] == [False, False, False, True]


def test_a_generator_that_fails_keeps_no_mail_before_from_leaving(make_app: MakeApp, server: MailServer) -> None:
    """What was made before the failure leaves, as in a loop of one's own, and then the error comes out."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)

    def make() -> Iterator[Message]:
        yield make_message(subject="1")
        yield make_message(subject="2")
        raise LookupError("the app's own trouble")

    with app.app_context(), pytest.raises(LookupError, match="own trouble"):
        mail.send_all(make())
    assert [mail.message["Subject"] for mail in server.received] == ["1", "2"]
    assert {one.state for one in app.extensions["mailnod"].store.get_deliveries()} == {DeliveryState.ACCEPTED}


def test_a_bad_header_of_ours_keeps_no_mail_before_from_leaving(make_app: MakeApp, server: MailServer) -> None:
    """A message of a campaign that is refused ends the sending there, and those before it have left."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    headers: tuple[dict[str, str], ...] = ({}, {"X-Mailnod-Route": "a\nb"}, {})
    with app.app_context(), pytest.raises(flask_mail.BadHeaderError):
        mail.send_all([make_message(subject=str(place), extra_headers=one) for place, one in enumerate(headers)])
    assert [mail.message["Subject"] for mail in server.received] == ["0"]


def test_a_receiver_that_changes_a_copy_has_a_say_each_time(make_app: MakeApp, server: MailServer) -> None:
    """What a receiver of mail_tracked puts into the copy leaves, however often the body has come."""

    def add_note(sender: object, mail: TrackedMail) -> None:
        mail.message.html = f"{mail.message.html}<!-- note -->"

    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context(), mail_tracked.connected_to(add_note):
        mail.send_all([make_message() for _ in range(4)])
    assert ["<!-- note -->" in mail.html for mail in server.received] == [True] * 4


def test_a_receiver_that_raises_leaves_no_delivery_open(make_app: MakeApp, server: MailServer) -> None:
    """Where a receiver of mail_tracked raises, nothing leaves, and what was prepared is failed."""

    def receive(sender: object, mail: TrackedMail) -> None:
        raise LookupError("a receiver's own trouble")

    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context(), mail_tracked.connected_to(receive), pytest.raises(LookupError, match="own trouble"):
        mail.send_all([make_message(), make_message()])
    assert server.received == []
    states = [delivery.state for delivery in app.extensions["mailnod"].store.get_deliveries()]
    assert states == [DeliveryState.FAILED] * 2


def test_the_servers_limit_of_mails_per_connection_is_kept(make_app: MakeApp, server: MailServer) -> None:
    """MAIL_MAX_EMAILS reconnects in between, and every mail is tracked and accepted."""
    app = make_app(MAIL_MAX_EMAILS=2)
    with app.app_context(), Mail(app, load_entry_points=False).connect() as connection:
        for _ in range(5):
            connection.send(make_message())
    deliveries = app.extensions["mailnod"].store.get_deliveries()
    assert [delivery.state for delivery in deliveries] == [DeliveryState.ACCEPTED] * 5
    assert all(PIXEL in mail.html for mail in server.received)


def test_the_signal_names_the_copy_that_left(make_app: MakeApp) -> None:
    """email_dispatched fires once, with what went over the wire; the caller's message keeps its HTML and its date."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context(), mail.record_messages() as outbox:
        message = make_message()
        mail.send(message)
    (sent,) = outbox
    assert PIXEL in str(sent.html)
    assert message.html == HTML
    assert message.date is None


def test_an_error_after_the_conversation_does_not_make_a_mail_failed(make_app: MakeApp) -> None:
    """A signal receiver that raises is heard by the caller, and the delivery stays accepted: the mail has left."""

    def receive(sender: flask.Flask, message: flask_mail.Message) -> None:
        raise LookupError("a receiver's own trouble")

    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with (
        app.app_context(),
        flask_mail.email_dispatched.connected_to(receive),
        pytest.raises(LookupError, match="own trouble"),
    ):
        mail.send(make_message())
    (delivery,) = app.extensions["mailnod"].store.get_deliveries()
    assert delivery.state is DeliveryState.ACCEPTED


def test_mail_without_recipients_is_refused_as_flask_mail_does(make_app: MakeApp) -> None:
    """Flask-Mail's own check speaks, and no delivery is written."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context(), pytest.raises(AssertionError, match="No recipients"):
        mail.send(Message("Weekly", html=HTML))
    assert app.extensions["mailnod"].store.get_deliveries() == []


def test_names_beside_addresses_do_not_count(make_app: MakeApp) -> None:
    """A recipient given as a pair or as "Name <address>" is known by the bare address."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    recipients: list[str | tuple[str, str]] = [
        ("Desk", "one@example.com"),
        "Front <two@example.com>",
        "one@example.com",
    ]
    with app.app_context():
        mail.send(Message("Weekly", recipients=recipients, html=HTML))
    (delivery,) = app.extensions["mailnod"].store.get_deliveries()
    assert delivery.envelope.recipients == ("one@example.com", "two@example.com")


def test_whoever_gets_the_mail_must_consent(make_app: MakeApp, server: MailServer) -> None:
    """A library that overrides send_to sends to other people than the headers say; they are asked."""

    class Redirected(Message):
        @property
        def send_to(self) -> set[str | tuple[str, str]]:
            return {"two@example.com"}

    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context():
        mail.send(Redirected("Weekly", recipients=["one@example.com"], html=HTML))
    (delivery,) = app.extensions["mailnod"].store.get_deliveries()
    assert delivery.envelope.recipients == ("two@example.com",)


def test_html_that_is_marked_safe_is_tracked(make_app: MakeApp, server: MailServer) -> None:
    """A Markup, which escapes what is joined to it, is rewritten like any text."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context():
        mail.send(Message("Weekly", recipients=["one@example.com"], html=Markup(HTML)))
    assert f'href="{LINK}' in server.received[0].html


# -- messages ---------------------------------------------------------------------------------------------------------


def test_a_messages_unknown_keyword_is_refused_with_the_nearest_known_one(make_app: MakeApp) -> None:
    """Both misspelt overrides and misspelt arguments of Flask-Mail are named."""
    app = make_app()
    Mail(app, load_entry_points=False)
    with app.app_context():
        with pytest.raises(TypeError, match="'track_clicks'"):
            make_message(track_click=True)
        with pytest.raises(TypeError, match="'reply_to'"):
            make_message(replyto="desk@example.com")
        with pytest.raises(TypeError, match="True, False or None"):
            make_message(track_opens="no")


def test_overrides_travel_with_a_pickled_message(make_app: MakeApp, server: MailServer) -> None:
    """A queue that pickles messages keeps what stands on them."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    with app.app_context():
        mail.send(pickle.loads(pickle.dumps(make_message(track_opens=False))))
    assert PIXEL not in server.received[0].html
    assert LINK in server.received[0].html


def test_a_charset_of_its_own_is_kept(make_app: MakeApp, server: MailServer) -> None:
    """A message in another charset is rewritten in it."""
    app = make_app()
    mail = Mail(app, load_entry_points=False)
    message_html = '<body><a href="https://shop.example/">Gruß</a></body>'
    with app.app_context():
        mail.send(Message("x", recipients=["one@example.com"], html=message_html, charset="iso-8859-1"))
    body = server.received[0].message.get_body(("html",))
    assert body is not None
    assert body.get_content_charset() == "iso-8859-1"
    assert "Gruß" in server.received[0].html
    assert PIXEL in server.received[0].html


# -- tests of an app --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{"TESTING": True}, {"MAIL_SUPPRESS_SEND": True}])
def test_suppressed_mail_is_untouched(make_app: MakeApp, server: MailServer, config: dict[str, bool]) -> None:
    """Under TESTING and MAIL_SUPPRESS_SEND the outbox holds the very message, and no store is made."""
    app = make_app(**config)
    mail = Mail(app, load_entry_points=False)
    with app.app_context(), mail.record_messages() as outbox:
        message = make_message(extra_headers={"X-Mailnod-Track-Opens": "true"})
        mail.send(message, track_clicks=True)
    assert outbox[0] is message
    assert message.html == HTML
    assert server.received == []
    assert not app.extensions["mailnod"].settings.database.exists()


def test_suppressed_mail_is_checked_all_the_same(make_app: MakeApp) -> None:
    """An app's tests find a misspelt keyword and a line break in a header of ours."""
    app = make_app(TESTING=True)
    mail = Mail(app, load_entry_points=False)
    with app.app_context():
        with pytest.raises(TypeError, match="track_opens"):
            mail.send(make_message(), track_open=True)
        with pytest.raises(flask_mail.BadHeaderError):
            mail.send(make_message(extra_headers={"X-Mailnod-Route": "news\r\nBcc: two@example.com"}))


def test_the_tracked_outbox_holds_what_would_leave(make_app: MakeApp, server: MailServer) -> None:
    """Inside tracked_outbox() the copy is really prepared, with a delivery in the store, and nothing is sent."""
    app = make_app(TESTING=True)
    mail = Mail(app, load_entry_points=False)
    with app.app_context(), tracked_outbox() as outbox, mail.record_messages() as plain:
        message = make_message()
        mail.send(message, track_clicks=False)
    (sent,) = outbox
    assert plain[0] is message is sent.original
    assert PIXEL in (sent.message.html or "")
    assert sent.prepared is not None
    assert (sent.prepared.decision.opens, sent.prepared.decision.clicks) == (Mode.INDIVIDUAL, Mode.NONE)
    (delivery,) = app.extensions["mailnod"].store.get_deliveries()
    assert delivery.id == sent.prepared.delivery.id  # type: ignore[union-attr]
    assert server.received == []


def test_the_context_manager_reaches_third_party_code(
    make_app: MakeApp, server: MailServer, clock: FrozenClock
) -> None:
    """Code that knows nothing of Mailnod sends as the block around it wishes."""
    app = make_app()
    Mail(app, clock=clock, load_entry_points=False)
    with app.app_context(), tracking(track_opens=False):
        app.extensions["mail"].send(flask_mail.Message("x", recipients=["one@example.com"], html=HTML))
    assert PIXEL not in server.received[0].html
    assert LINK in server.received[0].html
