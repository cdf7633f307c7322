"""Tests of taking back what a tracker of ours wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.desktop_mails import CASES, HTML, inspect_mail, make_html_mail, make_message
from mailnod.html.entities import decode_attribute
from mailnod.html.plan import Plan, compile_plan
from mailnod.model import ConsentState
from mailnod.settings import Settings
from mailnod_desktop.services.model import Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.restoring import restore
from mailnod_desktop.services.rewriting import Rewriter

TOKEN = "AQEBtokentokentokentokentoken_-9"
BASE = "https://track.example.test"
#: These write a destination in a way that cannot be told from what the link says.
UNUSUAL = {"ent-06", "ent-14", "ent-15", "attr-08", "attr-15", "sch-07", "sch-19", "sch-20", "chr-09"}


def make_plan(html: str, **options: Any) -> Plan:
    """Return a plan that tracks all."""
    given = {"base_url": BASE, "track_opens": True, "track_clicks": True, **options}
    return compile_plan(html, tag_link=lambda index, url: f"{index:016d}", **given)


@pytest.mark.parametrize("honeypot", [False, True])
@pytest.mark.parametrize("case", [case for case in CASES if "mime" not in case], ids=lambda case: case["id"])
def test_cases_come_back(case: dict[str, Any], honeypot: bool) -> None:
    """What was filled is restored exactly, unless a link was written in an unusual way; it leads there all the same."""
    plan = make_plan(case["html"], honeypot=honeypot)
    sent = plan.fill(TOKEN)
    restored = restore(sent)
    if not plan.edits:
        assert restored is None
        return
    assert restored is not None
    assert (restored.base_url, restored.token) == (BASE, TOKEN)
    assert restored.plan.fill(TOKEN) == sent
    assert restored.plan.pixel == plan.pixel
    assert [link.url for link in restored.plan.links if link.tracked] == [
        link.url.replace("\0", "\ufffd") for link in plan.links if link.tracked
    ]
    if case["id"] not in UNUSUAL and "data-mailnod" not in case["html"]:
        assert restored.html == case["html"]


_WORDS = st.text("abcäλ\n\t .,;:!?/-_", max_size=12)
_URLS = st.from_regex(
    r"https://[a-z]{1,6}\.example/[a-zA-Z0-9_.~%/:@,;!*()+$-]{0,20}(\?[a-z]=[a-z0-9%]{1,5})?", fullmatch=True
)


@given(st.lists(st.tuples(_WORDS, _URLS, st.sampled_from("\"'"), _WORDS), max_size=6), st.booleans(), st.booleans())
def test_plain_links_come_back_exactly(parts: list[tuple[str, str, str, str]], body: bool, honeypot: bool) -> None:
    """Of a mail whose links need no unusual escaping not one character is lost."""
    links = "".join(f"{before}<a href={quote}{url}{quote}>{text}</a>" for before, url, quote, text in parts)
    html = f"<html><body>{links}</body></html>" if body else f"<p>{links}"
    restored = restore(make_plan(html, honeypot=honeypot).fill(TOKEN))
    assert restored is not None
    assert restored.html == html


@given(st.text("abc&;#<>\"'= %x", max_size=10))
def test_escaped_links_lead_where_they_led(tail: str) -> None:
    """However a destination has to be escaped, the restored link leads there."""
    value = f"https://e.example/?{tail}".replace("&", "&amp;").replace('"', "&quot;")
    plan = make_plan(f'<a href="{value}">x</a>')
    restored = restore(plan.fill(TOKEN))
    assert restored is not None
    assert [decode_attribute(link.raw) for link in restored.plan.links] == [link.url for link in plan.links]


@given(st.text(max_size=200))
def test_any_text_is_taken(html: str) -> None:
    """Nothing that stands in a text makes the restorer stumble."""
    restore(f"/o/ /c/ {html}")


@pytest.mark.parametrize(
    "html",
    [
        f'<img src="https://other.example/o/{TOKEN}.gif">',
        f'<a href="https://other.example/c/{TOKEN}.0">x</a>',
        f'<a href="https://other.example/c/{TOKEN[:-1]}.0.{"0" * 16}?u=https://e.example/">x</a>',
        f'<!-- <a href="{BASE}/c/{TOKEN}.0.{"0" * 16}?u=https://e.example/">x</a> -->',
        HTML,
    ],
)
def test_what_is_not_ours_is_left_alone(html: str) -> None:
    """An image or a link of another form, and markup that no browser reads, prove nothing."""
    assert restore(html) is None


def test_quoted_mail_of_another_token_stays() -> None:
    """A mail that quotes an earlier one keeps that one's links, which were not written for it."""
    earlier = make_plan('<a href="https://e.example/a">a</a>', track_opens=False).fill("B" * 32)
    later = '<a href="https://e.example/b">b</a><a href="https://e.example/c">c</a>'
    restored = restore(make_plan(later).fill(TOKEN) + earlier)
    assert restored is not None
    assert restored.html == later + earlier


def test_what_cannot_be_known_is_said() -> None:
    """Short links stay as they came, and the restorer says so."""
    html = '<a href="https://e.example/?a=1&amp;b=2">a</a>'
    short = restore(make_plan(html, link_style="short").fill(TOKEN))
    assert short is not None
    assert short.html == f'<a href="{BASE}/c/{TOKEN}.0">a</a>'
    assert short.unknown[0] == "Where 1 short link led is known to the sender's store alone."
    portable = restore(make_plan(html).fill(TOKEN))
    assert portable is not None
    assert '"&amp;"' in portable.unknown[0]


def make_sent() -> tuple[Mail, Mail]:
    """Return a message, and the same as it left."""
    mail = make_message()
    settings = Settings.from_mapping({"MAILNOD_BASE_URL": BASE})
    sent = inspect_mail(mail, rewriter=Rewriter(settings, None))
    return mail, Mail(key="sent", name="sent.eml", origin="smtp", data=sent.data)


def test_caught_mail_is_shown_as_it_was_sent() -> None:
    """Without an override the original is what was restored, and what leaves is what came, byte for byte."""
    mail, sent = make_sent()
    inspection = inspect_mail(sent)
    assert inspection.parsed.tracked_by == BASE
    assert inspection.parsed.summary.tracked
    assert inspection.as_sent
    assert inspection.data == sent.data
    assert [body.original for body in inspection.bodies] == list(parse(mail).htmls)
    assert [body.rewritten for body in inspection.bodies] == list(parse(sent).htmls)
    assert inspection.token is not None
    assert set(inspection.tokens.values()) == {inspection.token}
    assert [row.reason for row in inspection.links if row.tracked] == [
        "tracked when it was sent",
        "tracked when it was sent",
        "before </body>",
    ]
    assert inspection.unknown


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(track_opens=False),
        Wishes(refused=frozenset({(0, 1)})),
        Wishes(consent_clicks=ConsentState.DENIED),
        Wishes(route="preview"),
    ],
)
def test_override_rewrites_a_caught_mail_afresh(wishes: Wishes) -> None:
    """Any override starts from the restored text, with keys of our own and the inspector's base URL."""
    _, sent = make_sent()
    inspection = inspect_mail(sent, wishes)
    assert not inspection.as_sent
    assert BASE not in inspection.bodies[0].rewritten
    assert inspection.token is not None
    leaves = parse(Mail(key="x", name="x", origin="file", data=inspection.data))
    assert list(leaves.htmls) == [body.rewritten for body in inspection.bodies]


def test_caught_mail_can_be_shown_without_tracking() -> None:
    """With both axes off what leaves is the restored mail."""
    mail, sent = make_sent()
    inspection = inspect_mail(sent, Wishes(track_opens=False, track_clicks=False))
    assert inspection.token is None
    assert parse(Mail(key="x", name="x", origin="file", data=inspection.data)).htmls == parse(mail).htmls


def test_sent_page_is_restored_too() -> None:
    """A bare page that was rewritten is treated as a message is."""
    sent = make_html_mail(make_plan(HTML).fill(TOKEN))
    inspection = inspect_mail(sent)
    assert (inspection.as_sent, inspection.token, inspection.bodies[0].original) == (True, TOKEN, HTML)
    assert inspect_mail(sent, Wishes(track_clicks=False)).bodies[0].original == HTML
