"""Tests of the rows that show what was edited."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from contracts.desktop_mails import CASES, HTML, inspect_html, inspect_mail, make_html_mail, walk_corpus
from mailnod.html.plan import compile_plan
from mailnod_desktop.services.diff import DiffRow, make_diff
from mailnod_desktop.services.model import Body, Inspection, Wishes


def make_body(html: str) -> Body:
    """Return a body with a hidden link, a pixel and every link tracked."""
    plan = compile_plan(
        html,
        base_url="https://track.example.test",
        tag_link=lambda index, url: f"{index:016d}",
        track_opens=True,
        track_clicks=True,
        honeypot=True,
    )
    rewritten = plan.fill("A" * 32)
    return Body(original=html, rewritten=rewritten, plan=plan, original_bytes=0, rewritten_bytes=0)


def assert_spans_fit(body: Body, rows: tuple[DiffRow, ...]) -> None:
    """Check that each span shows what its edit put there or took away, and that every edit is shown."""
    assert body.plan is not None
    edits = body.plan.edits
    token = body.rewritten[len(body.plan.pieces[0]) :][:32]
    shown: dict[int, str] = {}
    for row in rows:
        for span in row.old_spans:
            assert row.old[span.start : span.end] in body.original[edits[span.edit].start : edits[span.edit].end]
        for span in row.new_spans:
            text = row.new[span.start : span.end]
            assert text in edits[span.edit].fill(token)
            shown[span.edit] = max(shown.get(span.edit, ""), text, key=len)
            if span.link is not None:
                assert body.plan.links[span.link].start == edits[span.edit].start
    assert shown == {number: edit.fill(token) for number, edit in enumerate(edits)}


def test_rows_are_the_lines_of_both_texts() -> None:
    """Changed lines stand with three lines around each, and what is left out is counted."""
    body = inspect_html(HTML).bodies[0]
    rows = make_diff(body)
    assert [(row.kind, row.old_number, row.new_number, row.hidden) for row in rows] == [
        ("gap", 1, 1, 2),
        ("same", 3, 3, 0),
        ("same", 4, 4, 0),
        ("same", 5, 5, 0),
        ("changed", 6, 6, 0),
        ("changed", 7, 7, 0),
        ("same", 8, 8, 0),
        ("same", 9, 9, 0),
        ("same", 10, 10, 0),
        ("gap", 11, 11, 3),
        ("same", 14, 14, 0),
        ("same", 15, 15, 0),
        ("same", 16, 16, 0),
        ("changed", 17, 17, 0),
        ("same", 18, 18, 0),
        ("same", 19, 19, 0),
    ]
    lines = HTML.split("\n")
    assert [row.old for row in rows if row.kind != "gap"] == [
        lines[row.old_number - 1] for row in rows if row.kind != "gap" and row.old_number
    ]
    assert_spans_fit(body, rows)


def test_span_names_its_link() -> None:
    """A view can mark the edit within its line, and lead to the link."""
    (row,) = [row for row in make_diff(inspect_html(HTML).bodies[0], context=0) if row.old_number == 6]
    (span,) = row.old_spans
    assert row.old[span.start : span.end] == "https://shop.example/spring?a=1&amp;b=2"
    assert (span.edit, span.link, span.reason) == (0, 0, "link 0: tracked")


def test_taken_out_attribute_across_lines_joins_them() -> None:
    """Where an edit takes a line end away, the numbers of the lines part from there on."""
    body = make_body('<a\ndata-mailnod="on"\nhref="https://e.example/">x</a>\nb\n')
    rows = make_diff(body)
    assert [(row.kind, row.old_number, row.new_number) for row in rows] == [
        ("changed", 1, 1),
        ("changed", 2, None),
        ("changed", 3, 2),
        ("same", 4, 3),
        ("changed", 5, 4),
    ]
    assert rows[0].old_spans[0].reason == "our own attribute, taken out"


def test_unchanged_body_has_no_rows() -> None:
    """What leaves as it came differs in nothing."""
    assert make_diff(inspect_html(HTML, Wishes(track_opens=False, track_clicks=False)).bodies[0]) == ()


def test_mail_as_it_was_sent_is_compared_with_what_it_was_made_from() -> None:
    """The restorer's edits are shown as the rewriter's are."""
    sent = inspect_html(HTML)
    inspection = inspect_mail(make_html_mail(sent.bodies[0].rewritten))
    assert inspection.as_sent
    assert_spans_fit(inspection.bodies[0], make_diff(inspection.bodies[0]))


@pytest.mark.parametrize("newline", ["", "\n", "\r\n", "\r"])
def test_long_lines_are_shown_in_pieces(newline: str) -> None:
    """No row holds a line of a hundred thousand characters, and each edit is seen with what stands around it."""
    filler = "x" * 50_000
    html = f"<p>{filler}</p>{newline}".join(f'<a href="https://e.example/{n}">{n}</a>' for n in range(5))
    body = make_body(html)
    rows = make_diff(body)
    assert max(len(row.old) + len(row.new) for row in rows) < 3_000
    assert any(row.partial for row in rows)
    assert_spans_fit(body, rows)


def test_many_edits_of_one_line_are_shown_in_several_rows() -> None:
    """A page without line ends does not become one row of all its links."""
    body = make_body('<a href="https://e.example/">x</a>' * 1000)
    rows = make_diff(body)
    assert max(len(row.new) for row in rows) < 3_000
    assert len(rows) > 100
    assert_spans_fit(body, rows)


@pytest.mark.parametrize("case", [case for case in CASES if "mime" not in case], ids=lambda case: case["id"])
def test_cases_are_shown(case: dict[str, str]) -> None:
    """Every edit of every case is shown where it is."""
    body = make_body(case["html"])
    if body.plan is not None and body.plan.edits:
        assert_spans_fit(body, make_diff(body))


@pytest.mark.parametrize("seed", range(30))
def test_any_lines_are_shown(seed: int) -> None:
    """However lines, links and attributes are mixed, rows fit their texts and lines are in order."""
    choice = random.Random(seed)
    pieces = ["\n", "\r\n", "text ", "<br>", "x" * 300, '<a href="https://e.example/a">a</a>']
    pieces += ['<a\ndata-mailnod=on\n href="https://e.example/b"\n>b</a>', "</body>"]
    body = make_body("".join(choice.choices(pieces, k=60)))
    rows = make_diff(body, context=choice.randrange(4))
    assert_spans_fit(body, rows)
    numbers = [row.old_number for row in rows if row.old_number]
    assert numbers == sorted(numbers)


def test_corpus_is_shown(shared: Path) -> None:
    """Every edit of every mail of the corpus is shown where it is."""
    inspections: list[Inspection] = [inspect_mail(mail) for mail in walk_corpus(shared)]
    for inspection in inspections:
        for body in inspection.bodies:
            if body.plan is not None and body.plan.edits:
                assert_spans_fit(body, make_diff(body))
