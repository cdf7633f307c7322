"""Tests of what is found in mails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from contracts.desktop_mails import inspect_html, inspect_mail, make_html_mail, make_message
from mailnod.errors import ConfigurationError
from mailnod.settings import Settings
from mailnod_desktop.services import findings
from mailnod_desktop.services.findings import RULES, SEVERITIES, choose_failures
from mailnod_desktop.services.model import Finding, Inspection, Mail, Wishes
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.services.rules import Hit

PIXEL = '<img src="https://track.example/t/o/AQEBtokentokentokentokentoken_-9.gif" width="1" height="1" alt="">'
TEXT = "Enough text to be read by anybody who has images switched off."

#: For each rule a page in which it finds something, and one like it in which it does not.
PAGES: dict[str, tuple[str, str]] = {
    "relative-link": ('<a href="/offer">x</a>', '<a href="//shop.example/offer">x</a>'),
    "javascript-or-file-link": ('<a href="java\tscript:a()">x</a>', '<a href="tel:123">x</a>'),
    "unfilled-placeholder": ('<a href="https://e.example/{{ id }}">x</a>', '<a href="https://e.example/%7B">x</a>'),
    "invalid-url": ('<a href="https://e.example:99999/">x</a>', '<a href="https://e.example:443/">x</a>'),
    "empty-href": ('<a href="#">x</a>', '<a href="#part">x</a>'),
    "visible-url-differs": (
        '<a href="https://other.example/">www.bank.example/login</a>',
        '<a data-mailnod="off" href="https://bank.example/">https://www.bank.example/login</a>',
    ),
    "unsubscribe-tracked": (
        '<a href="https://e.example/u">Click to unsubscribe from our news</a>',
        '<a href="https://e.example/u">Unsubscribe</a>',
    ),
    "too-long-url": (f'<a href="https://e.example/?{"a" * 1990}">x</a>', '<a href="https://e.example/?a">x</a>'),
    "http-link": ('<a href="http://e.example/">x</a>', '<a href="http://localhost/">x</a>'),
    "link-without-text": (
        '<a href="https://e.example/"><img src="cid:x"></a>',
        '<a href="https://e.example/"><img src="cid:x" alt="Shop"></a>',
    ),
    "not-rewritten": ("<a href=x>" * 10_001, "<a href=x>"),
    "over-clip": (f"{TEXT}{'x' * 104_448}", f"{TEXT}{'x' * 104_000}"),
    "duplicate-pixel": (PIXEL * 2, PIXEL),
    "broken-charset": ("Gr\udcfc\u00dfe", "Grüße"),
    "image-only": ('<style>p{color:red}</style><img src="cid:x" alt="x">', f'<img src="cid:x" alt="x">{TEXT}'),
    "missing-alt": ('<img src="cid:x">', '<img src="cid:x" alt=""><img src="cid:y" width="1" height="1">'),
}
#: What takes more than a page.
OTHERS = {"insecure-base-url", "no-plain-text", "no-list-unsubscribe"}


def find(inspection: Inspection, rule: str) -> list[Finding]:
    """Return what one rule found."""
    return [finding for finding in inspection.findings if finding.rule == rule]


@pytest.mark.parametrize("rule", PAGES)
def test_rule_finds_what_it_is_for_and_nothing_else(rule: str) -> None:
    """Each rule finds its defect once, says where it is and what to do, and is silent without it."""
    bad, good = PAGES[rule]
    (finding,) = find(inspect_html(bad), rule)
    assert finding.severity in SEVERITIES
    assert finding.message.endswith(".")
    assert finding.advice.endswith(".")
    assert len(finding.excerpt) <= 120
    assert find(inspect_html(good), rule) == []


def test_every_rule_is_tested_and_explained() -> None:
    """A rule without a test or an explanation is not to be relied on."""
    assert set(RULES) == set(PAGES) | OTHERS
    assert [rule.name for rule in RULES.values() if len(rule.doc) < 40] == []


def test_insecure_base_url_is_found() -> None:
    """A collector that is reached without encryption is a finding, unless it is on this very host."""
    for url, found in (("http://app.example/t", 1), ("http://localhost:5000/t", 0)):
        rewriter = Rewriter(Settings.from_mapping({"MAILNOD_BASE_URL": url}), None)
        assert len(find(inspect_mail(make_message(), rewriter=rewriter), "insecure-base-url")) == found


def test_message_without_plain_text_is_found() -> None:
    """HTML alone is a finding in a message and none in a page."""
    assert find(inspect_mail(make_message(text="")), "no-plain-text")
    assert not find(inspect_mail(make_message()), "no-plain-text")
    assert not find(inspect_html(TEXT), "no-plain-text")


def test_bulk_mail_without_a_way_out_is_found() -> None:
    """Bulk mail shows itself by its headers or by a link to unsubscribe."""
    rule = "no-list-unsubscribe"
    assert find(inspect_mail(make_message()), rule)
    assert find(inspect_mail(make_message("<p>Hi", headers={"List-Id": "<news.example.com>"})), rule)
    assert not find(inspect_mail(make_message("<p>Hi")), rule)
    assert not find(inspect_mail(make_message(headers={"List-Unsubscribe": "<https://e.example/u>"})), rule)


def test_tracking_itself_can_make_a_link_deceive() -> None:
    """A link that shows its own host is taken for phishing once another host stands in it."""
    html = '<a href="https://bank.example/">bank.example</a>'
    (finding,) = find(inspect_html(html), "visible-url-differs")
    assert "the tracked link leads to track.example first" in finding.message
    assert not find(inspect_html(html, Wishes(track_clicks=False)), "visible-url-differs")


def test_pixel_behind_the_clip_is_an_error() -> None:
    """A mail without a place at its top has its pixel where Gmail does not look."""
    inspection = inspect_html(f"<!-- x -->{'x' * 110_000}")
    (finding,) = find(inspection, "over-clip")
    assert (finding.severity, "stands behind" in finding.message) == ("error", True)
    (finding,) = find(inspect_html(f"<body>{'x' * 110_000}"), "over-clip")
    assert (finding.severity, "stands before" in finding.message) == ("warning", True)


def test_finding_points_to_its_place() -> None:
    """Body and offset lead to what is meant."""
    html = '<p>x</p><a href="/a">x</a>'
    (finding,) = find(inspect_html(html), "relative-link")
    assert (finding.body, finding.offset) == (0, html.index("/a"))


def test_many_of_a_kind_are_counted() -> None:
    """A rule that finds thousands of places shows fifty and says how many more there are."""
    found = find(inspect_html('<a href="/a">x</a>' * 1000), "relative-link")
    assert len(found) == 51
    assert found[-1].message == "950 more of the same kind."


def test_the_worst_of_those_that_are_counted_is_not_lost() -> None:
    """An error behind fifty warnings of a rule is still one to who fails for errors."""
    body = b"--b\nContent-Type: text/html\n\n%s\n"
    bodies = [body % (b"<body>" + b"x" * 110_000)] * 50 + [body % (b"<!-- x -->" + b"x" * 110_000)]
    data = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join(bodies) + b"--b--\n"
    inspection = inspect_mail(Mail(key="x", name="x", origin="file", data=data))
    assert find(inspection, "over-clip")[0].severity == "error"
    assert choose_failures(inspection.findings, ["error"])


def test_rule_that_fails_is_said_and_fails_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that breaks a rule does not pass by that."""

    def fail(_: object) -> Iterator[Hit]:
        raise RecursionError
        yield

    rule = replace(RULES["missing-alt"], find=fail)
    monkeypatch.setattr(findings, "RULES", {**RULES, rule.name: rule})
    found = find(inspect_html("<p>x"), rule.name)
    assert [(finding.severity, "could not look" in finding.message) for finding in found] == [("error", True)]


def test_errors_come_first() -> None:
    """Findings are listed from the worst on."""
    severities = [finding.severity for finding in inspect_html('<img src="cid:x"><a href="/a">x</a>').findings]
    assert severities == sorted(severities, key=SEVERITIES.index)


@pytest.mark.parametrize(
    ("wanted", "rules"),
    [
        ([], []),
        (["any"], ["relative-link", "image-only", "missing-alt"]),
        (["warning"], ["relative-link", "image-only"]),
        (["error"], ["relative-link"]),
        (["missing-alt", "error"], ["relative-link", "missing-alt"]),
    ],
)
def test_failures_are_chosen_by_severity_or_name(wanted: list[str], rules: list[str]) -> None:
    """A severity means at least that; a name means that rule."""
    findings = inspect_html('<img src="cid:x"><a href="/a">x</a>').findings
    assert [finding.rule for finding in choose_failures(findings, wanted)] == rules


def test_misspelt_rule_is_refused_with_the_nearest() -> None:
    """A rule that does not exist would never fail anything."""
    with pytest.raises(ConfigurationError, match="did you mean 'relative-link'"):
        choose_failures((), ["relativ-link"])


def test_page_that_cannot_be_rewritten_is_still_looked_through() -> None:
    """What needs no plan is found all the same."""
    assert find(inspect_mail(make_html_mail("<img src=x>" + "<a href=x>" * 10_001)), "image-only") == []
    assert find(inspect_html("<svg>" * 60_000), "not-rewritten")
