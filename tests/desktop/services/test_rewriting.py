"""Tests of rewriting as the sender does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.desktop_mails import CASES, HTML, inspect_mail, make_html_mail, make_message, walk_corpus
from mailnod import hookimpl
from mailnod.html.urls import find_destination
from mailnod.model import Consent, ConsentState, Envelope, Link, Mode, TokenState
from mailnod.plugins import Plugins
from mailnod.send.mime import read_message
from mailnod.settings import Settings
from mailnod.tokens import Keyring
from mailnod_desktop.services.model import Inspection, Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import PREVIEW_BASE_URL, PREVIEW_ROUTE, Rewriter

KEYRING = Keyring.parse("k" * 40)
GRANTED, DENIED, UNKNOWN = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN


def make_settings(**routes: dict[str, Any]) -> Settings:
    """Return settings with these routes, the first of which is the default."""
    return Settings.from_mapping(
        {
            "MAILNOD_BASE_URL": "https://app.example/t",
            "MAILNOD_ROUTES": routes,
            "MAILNOD_DEFAULT_ROUTE": next(iter(routes)),
        }
    )


def find_reasons(inspection: Inspection) -> dict[str, str]:
    """Return the reason of each link by its URL."""
    return {row.url: row.reason for row in inspection.links if row.kind == "click"}


def assert_consistent(inspection: Inspection) -> None:
    """Check that what is shown is what would leave, and that each row says what stands there."""
    mail = inspection.parsed.mail
    if mail.form == "message":
        texts = [part.html.text for part in read_message(inspection.data).parts]
    else:
        texts = [body.rewritten for body in inspection.bodies]
    assert texts == [body.rewritten for body in inspection.bodies]
    if inspection.token is None:
        assert inspection.data == mail.data
    for row in inspection.links:
        body = inspection.bodies[row.body]
        assert row.tracked == bool(row.tracked_url)
        assert row.tracked_url in body.rewritten
        if row.link is not None:
            assert body.original[row.link.start : row.link.end] == row.link.raw
            assert row.tracked or row.link.raw in body.rewritten


def test_preview_tracks_without_any_set_up() -> None:
    """Where no route tracks, one is added that does, and its links lead where nobody is."""
    rewriter = Rewriter(Settings(), None)
    assert rewriter.default_route == PREVIEW_ROUTE
    assert rewriter.routes[PREVIEW_ROUTE].base_url == PREVIEW_BASE_URL
    assert rewriter.ephemeral_keys
    inspection = inspect_mail(make_message(), rewriter=rewriter)
    assert (inspection.decision.opens, inspection.decision.clicks) == (Mode.INDIVIDUAL, Mode.INDIVIDUAL)
    assert find_reasons(inspection) == {
        "https://shop.example/spring?a=1&b=2": "tracked",
        "https://shop.example/second": "tracked",
        "mailto:a@example.com": "scheme not http(s)",
        "https://shop.example/unsubscribe": "unsubscribe link",
    }
    assert_consistent(inspection)


def test_own_base_url_is_the_previews() -> None:
    """A base URL without routes is used by the preview."""
    rewriter = Rewriter(Settings.from_mapping({"MAILNOD_BASE_URL": "https://app.example/t"}), KEYRING)
    inspection = inspect_mail(make_message(), rewriter=rewriter)
    assert inspection.bodies[0].plan is not None
    assert inspection.bodies[0].plan.base.url == "https://app.example/t"
    assert not rewriter.ephemeral_keys


def test_routes_of_the_app_are_taken_as_they_are() -> None:
    """Where a route tracks nothing is added, and the default route decides."""
    rewriter = Rewriter(make_settings(plain={}, news={"track_opens": True}), KEYRING)
    assert set(rewriter.routes) == {"plain", "news"}
    assert not inspect_mail(make_message(), rewriter=rewriter).decision.tracked
    inspection = inspect_mail(make_message(), Wishes(route="news"), rewriter=rewriter)
    assert (inspection.decision.opens, inspection.decision.clicks) == (Mode.INDIVIDUAL, Mode.NONE)
    assert find_reasons(inspection)["https://shop.example/second"] == "clicks off"


def test_switches_go_before_the_headers_and_these_before_the_route() -> None:
    """Each layer leaves its reason."""
    mail = make_message(headers={"X-Mailnod-Track-Opens": "no"})
    assert inspect_mail(mail).decision.reasons[:2] == ("route 'preview': opens on, clicks on", "header: opens off")
    switched = inspect_mail(mail, Wishes(track_opens=True, track_clicks=False)).decision
    assert (switched.opens, switched.clicks) == (Mode.INDIVIDUAL, Mode.NONE)
    assert "the inspector: opens on, clicks off" in switched.reasons


def test_untracked_mail_leaves_as_it_came_with_its_reasons() -> None:
    """Nothing is changed where nothing is tracked, and the table still says why of each link and of the pixel."""
    inspection = inspect_mail(make_message(), Wishes(consent_opens=DENIED, consent_clicks=UNKNOWN))
    assert inspection.token is None
    assert inspection.tokens == {}
    assert [body.plan for body in inspection.bodies] == [None]
    pixel = next(row for row in inspection.links if row.kind == "pixel")
    assert (pixel.tracked, pixel.reason) == (
        False,
        "consent denied (2 of 2 recipients) by the inspector: opens off",
    )
    assert_consistent(inspection)


def test_refused_link_stays_and_says_so() -> None:
    """A link that a person switched off is left alone, its neighbours are not."""
    inspection = inspect_mail(make_message(), Wishes(refused=frozenset({(0, 0), (0, 2), (1, 1)})))
    assert find_reasons(inspection) == {
        "https://shop.example/spring?a=1&b=2": "switched off here",
        "https://shop.example/second": "tracked",
        "mailto:a@example.com": "scheme not http(s)",
        "https://shop.example/unsubscribe": "unsubscribe link",
    }
    assert [row.switchable for row in inspection.links if row.kind == "click"] == [True, True, False, False]
    assert_consistent(inspection)


def test_tokens_are_stable_and_one_for_each_copy() -> None:
    """Whoever's copy is shown, its token is the one that the table of recipients names, and says the truth."""
    rewriter = Rewriter(Settings(), KEYRING)
    parsed = parse(make_message())
    shared, again = rewriter.inspect(parsed, Wishes()), rewriter.inspect(parsed, Wishes())
    own = rewriter.inspect(parsed, Wishes(recipient="b@example.com"))
    assert shared.token == again.token
    assert list(shared.tokens) == ["a@example.com", "b@example.com"]
    assert shared.tokens == again.tokens == own.tokens
    assert own.token == own.tokens["b@example.com"]
    assert len({shared.token, *shared.tokens.values()}) == 3
    assert own.token is not None
    claims = KEYRING.verify(own.token, now=datetime.now(UTC))
    assert (claims.opens, claims.clicks, claims.state) == (Mode.INDIVIDUAL, Mode.INDIVIDUAL, TokenState.VALID)


def test_store_is_asked_where_no_consent_is_taken_for_granted() -> None:
    """Each recipient's own consent decides on their copy, and a denial on the shared one."""
    asked: list[tuple[str, str]] = []

    def ask(address: str, purpose: str) -> Consent:
        asked.append((address, purpose))
        state = GRANTED if address == "a@example.com" else DENIED
        return Consent(opens=state, clicks=state, source="the store")

    rewriter = Rewriter(make_settings(news={"track_opens": True, "purpose": "news"}), KEYRING, consents=ask)
    wishes = Wishes(consent_opens=None, consent_clicks=None)
    shared = inspect_mail(make_message(), wishes, rewriter=rewriter)
    assert asked == [("a@example.com", "news"), ("b@example.com", "news")]
    assert not shared.decision.tracked
    assert list(shared.tokens) == ["a@example.com"]
    own = inspect_mail(make_message(), replace(wishes, recipient="a@example.com"), rewriter=rewriter)
    assert own.token == shared.tokens["a@example.com"]


def test_store_that_fails_means_no() -> None:
    """Doubt means no tracking."""

    def ask(address: str, purpose: str) -> Consent:
        raise OSError

    rewriter = Rewriter(Settings(), None, consents=ask)
    inspection = inspect_mail(make_message(), Wishes(consent_opens=None), rewriter=rewriter)
    assert (inspection.decision.opens, inspection.decision.clicks) == (Mode.NONE, Mode.INDIVIDUAL)


def test_own_test_recipients_are_tracked_unasked() -> None:
    """A sender's own mailboxes need no consent in sending, and need none here."""
    settings = Settings.from_mapping({"MAILNOD_TEST_RECIPIENTS": "@example.com"})
    wishes = Wishes(consent_opens=None, consent_clicks=None)
    decision = inspect_mail(make_message(), wishes, rewriter=Rewriter(settings, None)).decision
    assert "consent granted by MAILNOD_TEST_RECIPIENTS: opens on" in decision.reasons


def test_own_headers_do_not_leave() -> None:
    """A header for Mailnod is followed and taken out, folds included, and no other byte is."""
    mail = make_message(headers={"X-Mailnod-Track-Opens": "no", "X-Mailnod-Other": "a " * 60, "X-Other": "kept"})
    inspection = inspect_mail(mail)
    assert inspection.decision.opens is Mode.NONE
    assert b"X-Mailnod" in mail.data
    assert b"x-mailnod" not in inspection.data.lower()
    assert b"X-Other: kept" in inspection.data


def test_nobody_has_said_anything_without_a_store() -> None:
    """Where no store is open, an open question is answered by nobody."""
    assert not inspect_mail(make_message(), Wishes(consent_opens=None, consent_clicks=None)).decision.tracked


def test_page_without_recipients_is_tracked() -> None:
    """A bare page is for nobody in particular, and is rewritten for the copy that all would share."""
    inspection = inspect_mail(make_html_mail(HTML))
    assert inspection.token is not None
    assert inspection.tokens == {}
    assert inspection.data.decode() == inspection.bodies[0].rewritten


class _Plugin:
    """Refuses one link, and changes the URL of the other."""

    __name__ = "plugin"

    @hookimpl
    def allow_link(self, link: Link) -> bool:
        return "spring" not in link.url

    @hookimpl
    def change_url(self, url: str) -> str:
        return f"{url}?from=mail"

    @hookimpl
    def get_route(self, envelope: Envelope) -> str:
        return "other" if envelope.subject == "Spring sale" else "nonsense"


def test_plugins_have_their_say() -> None:
    """Plugins refuse links, change URLs and name the route, as they do in sending."""
    settings = make_settings(news={}, other={"track_clicks": True})
    rewriter = Rewriter(settings, KEYRING, plugins=Plugins([_Plugin()], load_entry_points=False))
    inspection = inspect_mail(make_message(), rewriter=rewriter)
    assert inspection.decision.route == "other"
    assert find_reasons(inspection)["https://shop.example/spring?a=1&b=2"] == "refused by a plugin"
    assert find_reasons(inspection)["https://shop.example/second?from=mail"] == "tracked"
    assert_consistent(inspection)


def test_unknown_route_is_an_error_and_no_exception() -> None:
    """What is asked for and does not exist is said with the nearest name; the mail leaves as it came."""
    inspection = inspect_mail(make_message(), Wishes(route="previw"))
    assert inspection.error == "unknown route 'previw': did you mean 'preview'?"
    assert inspection.data == inspection.parsed.mail.data
    assert [finding.rule for finding in inspection.findings if finding.severity == "error"] == ["not-rewritten"]


def test_text_is_rewritten_where_the_route_says_so() -> None:
    """Links of plain text lead to the collector too, in the bytes and in what is shown."""
    rewriter = Rewriter(make_settings(news={"track_clicks": True, "text_clicks": True}), KEYRING)
    mail = make_message(text="See https://shop.example/text.")
    inspection = inspect_mail(mail, rewriter=rewriter)
    assert f"https://app.example/t/c/{inspection.token}.4." in inspection.text
    assert parse(Mail(key="x", name="x", origin="file", data=inspection.data)).text == inspection.text
    assert inspect_mail(mail).text == inspection.parsed.text


@pytest.mark.parametrize("style", ["portable", "short"])
def test_links_of_plain_text_have_rows(style: str) -> None:
    """The table says of each link in the text what becomes of it, with the very address that leaves."""
    route = {"track_clicks": True, "text_clicks": True, "link_style": style}
    rewriter = Rewriter(make_settings(news=route), KEYRING)
    text = "One https://shop.example/one, two (https://shop.example/two?a=1&b=2) and http://localhost:x/ <end>"
    inspection = inspect_mail(make_message(text=text), rewriter=rewriter)
    rows = [row for row in inspection.links if row.kind == "text"]
    assert [row.url for row in rows if row.tracked] == ["https://shop.example/one", "https://shop.example/two?a=1&b=2"]
    assert {row.body for row in rows} == {len(inspection.bodies)}
    one, two = (row.tracked_url for row in rows if row.tracked)
    assert inspection.text.startswith(f"One {one}, two ({two}) and ")
    assert all(row.offset == text.index(row.url) for row in rows if row.tracked)


def test_short_links_and_hidden_link_have_rows() -> None:
    """The table says what leaves, whatever the route adds or shortens."""
    rewriter = Rewriter(make_settings(news={"track_clicks": True, "link_style": "short", "honeypot": True}), KEYRING)
    inspection = inspect_mail(make_message(), rewriter=rewriter)
    hidden = next(row for row in inspection.links if row.kind == "honeypot")
    assert hidden.tracked_url.startswith(f"https://app.example/t/c/{inspection.token}.999999.")
    tracked = [row.tracked_url for row in inspection.links if row.kind == "click" and row.tracked]
    assert tracked == [f"https://app.example/t/c/{inspection.token}.{index}" for index in (0, 1)]
    assert_consistent(inspection)


def test_pixel_says_where_it_stands() -> None:
    """A mail that Gmail would clip has its pixel at the top, and the table says why."""
    inspection = inspect_mail(make_html_mail(f"<body>{'x' * 110_000}</body>"))
    pixel = next(row for row in inspection.links if row.kind == "pixel")
    assert (pixel.reason, pixel.offset) == ("at the top, because Gmail would clip the mail before its end", 6)
    assert inspection.links[0] is pixel


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_cases_are_rewritten_as_they_ask(case: dict[str, Any]) -> None:
    """Each case is rewritten as the rewriter's own tests demand, and what is shown is what would leave."""
    options = case.get("options", {})
    state = ConsentState(options.get("consent", "granted"))
    wishes = Wishes(
        track_opens=options.get("opens"),
        track_clicks=options.get("clicks"),
        consent_opens=state,
        consent_clicks=state,
    )
    if "list_unsubscribe" in options:
        head = f"List-Unsubscribe: {options['list_unsubscribe']}\nContent-Type: text/html; charset=utf-8\n\n"
        mail = Mail(key="x", name="x", origin="file", data=f"{head}{case['html']}".encode())
    elif "mime" in case:
        mail = Mail(key="x", name="x", origin="file", data=case["mime"].encode("utf-8", "surrogateescape"))
    else:
        mail = make_html_mail(case["html"])
    base_url = options.get("base_url", "https://track.example.test")
    settings = Settings.from_mapping({"MAILNOD_BASE_URL": base_url})
    parsed = parse(mail)
    inspection = Rewriter(settings, KEYRING).inspect(parsed, wishes)
    assert inspection.error == ""
    assert_consistent(inspection)
    if case.get("part", "text/html") == "text/html" and not inspection.as_sent:
        tracked = [row.url for row in inspection.links if row.kind == "click" and row.tracked]
        assert tracked == [find_destination(url).url for url in case["expect"]["tracked"]]


def test_corpus_is_rewritten_as_shown(shared: Path) -> None:
    """Of every mail of the corpus what is shown is what would leave; only what cannot be read leaves as it came."""
    rewriter = Rewriter(Settings(), KEYRING)
    failed = []
    for mail in walk_corpus(shared):
        inspection = inspect_mail(mail, rewriter=rewriter)
        if inspection.error:
            failed.append(mail.name)
            assert inspection.data == mail.data
        else:
            assert_consistent(inspection)
    assert [name for name in failed if "extra-base64" not in name] == []
