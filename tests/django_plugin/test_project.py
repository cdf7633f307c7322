"""A project's settings, checks, commands, signals and tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import django
import pytest
from django.apps import apps
from django.core import mail
from django.core.checks import run_checks
from django.core.management import CommandError, call_command, execute_from_command_line
from django.test.utils import override_settings

from contracts.mail_server import MailServer
from mailnod import ConfigurationError, Consent, ConsentState, Event, Tracker, hookimpl
from mailnod.collect.collector import Request
from mailnod.model import Mode
from mailnod.testing import FrozenClock
from mailnod_django import EmailBackend, TrackedEmail, clicked, opened, signals
from mailnod_django.testing import tracked_outbox

SetUp = Callable[..., Tracker]
HTML = '<body><a href="https://shop.example/">Shop</a></body>'
PIXEL = "https://track.example.com/t/o/"
HAS_MAILERS = django.VERSION >= (6, 1)


class Denying:
    """A consent source that denies everybody."""

    @hookimpl
    def get_consent(self) -> Consent:
        """Deny."""
        return Consent(opens=ConsentState.DENIED, clicks=ConsentState.DENIED)


denying = Denying()


def send(**keywords: Any) -> TrackedEmail:
    """Send a message to one recipient, and return it."""
    message = TrackedEmail("Weekly", "text", "weekly@example.com", ["one@example.com"], **keywords)
    message.attach_alternative(HTML, "text/html")
    message.send()
    return message


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"BASEURL": "https://track.example.com"}, "'BASEURL'.*'BASE_URL'"),
        ({"base_url": "https://track.example.com"}, "'base_url'.*'BASE_URL'"),
        ({"SETTLE_S": "soon"}, "SETTLE_S.*'soon'"),
        ({"ESP_TRACKING": "both"}, "ESP_TRACKING.*'both'"),
        ({"BACKEND": "mailnod_django.EmailBackend"}, "Mailnod itself"),
        ({"BACKEND": EmailBackend}, "dotted path"),
        ({"PLUGINS": ["mailnod_nowhere.plugin"]}, "'mailnod_nowhere.plugin' cannot be imported"),
    ],
)
def test_wrong_settings_are_refused_by_name(set_up: SetUp, given: dict[str, Any], complaint: str) -> None:
    """The error names the key, and the nearest one that exists or the value."""
    with pytest.raises(ConfigurationError, match=complaint):
        set_up(**given)


def test_settings_must_be_a_mapping(set_up: SetUp) -> None:
    """Something else is refused."""
    with pytest.raises(ConfigurationError, match="expected a mapping"):
        set_up(settings={"MAILNOD": ["https://track.example.com"]})


def test_a_wrong_setting_stops_the_start(set_up: SetUp) -> None:
    """Django does not start with a setup that Mailnod cannot use."""
    set_up()
    with override_settings(MAILNOD={"BASEURL": "x"}), pytest.raises(ConfigurationError, match="BASEURL"):
        apps.get_app_config("mailnod_django").ready()


def test_the_environment_fills_in_what_settings_leave_out(set_up: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    """settings.MAILNOD goes before the environment; None in it counts as absent."""
    monkeypatch.setenv("MAILNOD_SETTLE_S", "3")
    monkeypatch.setenv("MAILNOD_BASE_URL", "https://environment.example/t")
    monkeypatch.setenv("MAILNOD_DATABASE", "/nowhere/mailnod.db")
    settings = set_up(DATABASE=None).settings
    assert settings.settle_s == 3
    assert settings.base_url == "https://track.example.com/t"
    assert str(settings.database) == "/nowhere/mailnod.db"


def test_the_store_lies_in_the_projects_folder(set_up: SetUp, tmp_path: Path) -> None:
    """Where nothing names it, it is mailnod.db in BASE_DIR."""
    assert set_up(DATABASE=None, settings={"BASE_DIR": tmp_path}).settings.database == tmp_path / "mailnod.db"


@pytest.mark.parametrize("plugin", [f"{__name__}.denying", denying])
def test_plugins_are_objects_or_their_paths(set_up: SetUp, server: MailServer, plugin: object) -> None:
    """A consent source of the project's own takes part."""
    set_up(PLUGINS=[plugin])
    send()
    assert server.received[0].html == HTML


def test_keys_are_derived_from_the_secret_key(set_up: SetUp) -> None:
    """SECRET_KEY signs and SECRET_KEY_FALLBACKS verify, so that a change of key breaks no link."""
    before = set_up(SECRET_KEYS=None, settings={"SECRET_KEY": "old"})
    old = before.keyring.keys[0].secret
    after = set_up(SECRET_KEYS=None, settings={"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": ["old"]})
    assert [key.state for key in after.keyring.keys] == ["signing", "verifying"]
    assert after.keyring.keys[1].secret == old


# -- checks -----------------------------------------------------------------------------------------------------------


def find_ids() -> list[str]:
    """Return the ids of what Mailnod's checks find."""
    return [str(found.id) for found in run_checks(tags=["mailnod"])]


def test_a_good_set_up_has_no_warnings(set_up: SetUp) -> None:
    """Nothing is found where nothing is doubtful."""
    set_up()
    assert find_ids() == []


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"BASE_URL": "http://track.example.com/t"}, "mailnod.W003"),
        ({"ROUTES": {"news": {"track_opens": True}}}, "mailnod.W004"),
        ({"ROUTES": '{"news": {"track_opens": true}}'}, "mailnod.W004"),
        ({"SECRET_KEYS": None}, "mailnod.W005"),
        ({"SECRET_KEYS": "short"}, "mailnod.W006"),
    ],
)
def test_doubtful_settings_are_found(set_up: SetUp, given: dict[str, Any], found: str) -> None:
    """http, a route that is silent about consent, and derived keys are warned of."""
    set_up(**given)
    assert find_ids() == [found]


def test_a_project_that_sends_past_us_is_warned(set_up: SetUp) -> None:
    """The warning names the backend to set."""
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    set_up(settings={"MAILERS": {"default": {"BACKEND": smtp}}} if HAS_MAILERS else {"EMAIL_BACKEND": smtp})
    (found,) = run_checks(tags=["mailnod"])
    assert found.id == "mailnod.W001"
    assert "mailnod_django.EmailBackend" in str(found.hint)


def test_stand_ins_of_tests_are_not_warned_of(set_up: SetUp) -> None:
    """The test runner's backend is no reason to warn."""
    locmem = "django.core.mail.backends.locmem.EmailBackend"
    set_up(settings={"MAILERS": {"default": {"BACKEND": locmem}}} if HAS_MAILERS else {"EMAIL_BACKEND": locmem})
    assert find_ids() == []


@pytest.mark.parametrize(
    "inside",
    [
        {"CELERY_EMAIL_BACKEND": "mailnod_django.EmailBackend"},
        {"MAILER_EMAIL_BACKEND": "mailnod_django.backend.EmailBackend"},
        {"POST_OFFICE": {"BACKENDS": {"default": "mailnod_django.EmailBackend"}}},
    ],
)
def test_standing_behind_a_queue_is_warned_of(set_up: SetUp, inside: dict[str, Any]) -> None:
    """Mailnod belongs outermost; paths of nowhere are Django's to complain of."""
    set_up(settings={**inside, "MAILER_EMAIL_MAILER": "nowhere.EmailBackend"})
    assert find_ids() == ["mailnod.W002"]


# -- signals ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def heard() -> Iterator[list[tuple[str, Event]]]:
    """Listen to both signals."""
    heard: list[tuple[str, Event]] = []

    def hear_open(event: Event, **_: Any) -> None:
        heard.append(("opened", event))

    def hear_click(event: Event, **_: Any) -> None:
        heard.append(("clicked", event))

    opened.connect(hear_open)
    clicked.connect(hear_click)
    yield heard
    opened.disconnect(hear_open)
    clicked.disconnect(hear_click)


def hit(tracker: Tracker, html: str, clock: FrozenClock) -> None:
    """Open a mail and click its link."""
    for kind, end in (("o", '"'), ("c", '"')):
        rest = html.partition(f"/t/{kind}/")[2].partition(end)[0].replace("&amp;", "&")
        path, _, query = rest.partition("?")
        tracker.reply(Request(method="GET", path=f"/{kind}/{path}", query=query, headers=(), peer="203.0.113.9"))
    clock.advance(60)
    tracker.work_once()


def test_events_are_sent_as_signals(
    set_up: SetUp, server: MailServer, clock: FrozenClock, heard: list[tuple[str, Event]]
) -> None:
    """An open and a click reach the receivers, with the judged event."""
    tracker = set_up()
    send()
    hit(tracker, server.received[0].html, clock)
    assert sorted(name for name, _ in heard) == ["clicked", "opened"]
    (delivery,) = tracker.store.get_deliveries()
    assert {event.delivery_id for _, event in heard} == {delivery.id}
    assert {event.url for _, event in heard} == {None, "https://shop.example/"}


def test_a_receiver_that_raises_costs_nobody_else(
    set_up: SetUp,
    server: MailServer,
    clock: FrozenClock,
    heard: list[tuple[str, Event]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Django logs it, and the others hear of the event."""

    def fail(**_: Any) -> None:
        raise ValueError("the receiver is away")

    opened.connect(fail)
    try:
        tracker = set_up()
        send()
        hit(tracker, server.received[0].html, clock)
    finally:
        opened.disconnect(fail)
    assert len(heard) == 2
    assert "the receiver is away" in caplog.text


# -- commands ---------------------------------------------------------------------------------------------------------


def test_the_commands_use_the_projects_settings(set_up: SetUp) -> None:
    """``manage.py mailnod`` works on the project's own store and keys, and prints to the command's stdout."""
    tracker = set_up()
    call_command("mailnod", "consent", "grant", "one@example.com", stdout=StringIO())
    assert tracker.store.get_consent("one@example.com", purpose="statistics").opens == "granted"
    for command in ("events", "stats", "keys list", "plugins"):
        printed = StringIO()
        call_command("mailnod", *command.split(), "--json", stdout=printed)
        assert json.loads(printed.getvalue()) is not None


def test_the_shell_reaches_the_commands_past_djangos_options(set_up: SetUp, capsys: pytest.CaptureFixture[str]) -> None:
    """Options and --help are Mailnod's, and the exit code is the command's."""
    set_up()
    with pytest.raises(SystemExit) as helped:
        execute_from_command_line(["manage.py", "mailnod", "--help"])
    assert helped.value.code == 0
    printed = capsys.readouterr().out
    assert "Usage: manage.py mailnod" in printed
    assert "doctor" in printed
    with pytest.raises(SystemExit) as refused:
        execute_from_command_line(["manage.py", "mailnod", "evnets"])
    assert refused.value.code == 2
    assert "evnets" in capsys.readouterr().err


def test_a_failing_command_ends_with_its_code(set_up: SetUp, tmp_path: Path) -> None:
    """What doctor finds broken is an exit code for Python callers too."""
    (tmp_path / "file").touch()
    set_up(DATABASE=tmp_path / "file" / "mailnod.db")
    with pytest.raises(SystemExit) as ended:
        call_command("mailnod", "doctor", stdout=StringIO())
    assert ended.value.code == 1
    with pytest.raises(CommandError, match="evnets"):
        call_command("mailnod", "evnets")


# -- tests of projects ------------------------------------------------------------------------------------------------


@pytest.fixture
def under_test(set_up: SetUp) -> Tracker:
    """Set a project up as its test runner leaves it."""
    locmem = {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}
    settings = (
        {"MAILERS": {"default": locmem, "other": locmem}} if HAS_MAILERS else {"EMAIL_BACKEND": locmem["BACKEND"]}
    )
    return set_up(settings=settings)


def test_mail_under_test_is_left_alone(under_test: Tracker) -> None:
    """Django's own outbox holds what the project sent."""
    send()
    (sent,) = mail.outbox
    assert vars(sent)["alternatives"][0][0] == HTML
    assert under_test.store.get_deliveries() == []


def test_the_tracked_outbox_holds_what_would_leave(under_test: Tracker) -> None:
    """Inside tracked_outbox() the copy is really prepared, with a delivery in the store; Django's outbox has it too."""
    with tracked_outbox() as outbox:
        message = send(track_clicks=False)
        mail.mail_admins("x", "y")
    send()
    (sent,) = outbox
    assert sent.original is message
    assert PIXEL in vars(sent.message)["alternatives"][0][0]
    assert sent.prepared is not None
    assert (sent.prepared.decision.opens, sent.prepared.decision.clicks) == (Mode.INDIVIDUAL, Mode.NONE)
    (delivery,) = under_test.store.get_deliveries()
    assert delivery == sent.prepared.delivery or delivery.state == "accepted"
    assert [PIXEL in str(vars(sent)["alternatives"]) for sent in mail.outbox] == [True, False]
    assert not signals.mail_tracked.receivers
