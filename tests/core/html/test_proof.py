"""A plan that does more than the proof covers is not proven."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailnod.html.plan import Edit, Plan, compile_plan
from mailnod.html.proof import is_proven
from mailnod.html.scan import scan

HTML = "<p>é</p><a href='https://e.example/?a=1&amp;b=2'>x</a><a href=#y>y</a><a href=//z.example>z</a></body>"


def compile_html(html: str, tag: str = "t" * 16) -> Plan:
    """Compile with both axes on."""
    return compile_plan(
        html, base_url="https://t.example", tag_link=lambda index, url: tag, track_opens=True, track_clicks=True
    )


def with_edits(plan: Plan, *edits: Edit) -> Plan:
    """Return a plan with other edits and the pieces that they make."""
    pieces = [""]
    position = 0
    for edit in edits:
        pieces[-1] += plan.source[position : edit.start] + edit.before
        pieces.append(edit.after)
        position = edit.end
    pieces[-1] += plan.source[position:]
    return replace(plan, edits=edits, pieces=tuple(pieces))


def test_new_values_and_the_pixel_are_proven() -> None:
    """Nothing has to be read afresh for links in any quotes and a pixel."""
    plan = compile_html(HTML)
    assert is_proven(plan, scan(HTML))
    assert is_proven(with_edits(plan, *plan.edits), scan(HTML))


@pytest.mark.parametrize("tag", ["t" * 15, "t" * 15 + "'", "t" * 15 + ">", "t" * 15 + " ", "t" * 15 + "é"])
def test_character_that_may_end_a_value_is_not_proven(tag: str) -> None:
    """A value may hold nothing but what ends none in any quotes."""
    plan = compile_html(HTML)
    first, *others = plan.edits
    spoilt = first._replace(after=first.after.replace("t" * 16, tag))
    assert not is_proven(with_edits(plan, spoilt, *others), scan(HTML))


@pytest.mark.parametrize("ending", ["&#45;&#45;", "&#x2d;-", "--&#32;", "-&#45;&#45;"])
def test_dashes_at_the_end_of_a_value_end_no_conditional_comment(ending: str) -> None:
    """Two dashes that references or white space kept apart from the ">" do not come next to it."""
    html = f"<!--[if mso]><a href=https://e.example/{ending}>x</a><![endif]--><p>y</p>"
    plan = compile_html(html)
    plan.verify()
    assert plan.links[0].tracked
    assert plan.fill("T" * 32).count("-->") == 1


def test_dashes_that_may_end_a_comment_are_not_proven() -> None:
    """A value with two dashes at its end is not proven, wherever it stands."""
    plan = compile_html(HTML)
    first, *others = plan.edits
    spoilt = first._replace(after=f"{first.after}--")
    assert not is_proven(with_edits(plan, spoilt, *others), scan(HTML))


def test_other_edits_are_not_proven() -> None:
    """Edits elsewhere than at tracked links, left out, out of order, or with another base, are not proven."""
    plan = compile_html(HTML)
    first, second, pixel = plan.edits
    for edits in (
        (first._replace(start=first.start - 1), second, pixel),
        (first._replace(before="https://u.example/c/"), second, pixel),
        (first, pixel),
        (second, first, pixel),
        (first, second),
        (first, second, pixel, pixel),
        (first, second, pixel._replace(start=pixel.start - 1, end=pixel.end - 1)),
        (first, second._replace(before=""), pixel),
        (first, second, pixel._replace(after='.gif">x')),
        (first, second, pixel._replace(after=".gif")),
        (first, second, pixel._replace(before='<img src="https://u.example/o/')),
    ):
        assert not is_proven(with_edits(plan, *edits), scan(HTML))


def test_removed_attribute_is_not_proven() -> None:
    """Where an attribute is taken out, its tag has to be read afresh."""
    html = "<a data-mailnod=on href='https://e.example/'>x</a>"
    assert not is_proven(compile_html(html), scan(html))


def test_hidden_link_is_not_proven() -> None:
    """Where a link is added, the filled text has to be read afresh."""
    plan = compile_plan(
        HTML,
        base_url="https://t.example",
        tag_link=lambda index, url: "t" * 16,
        track_opens=True,
        track_clicks=True,
        honeypot=True,
    )
    assert plan.honeypot is not None
    assert not is_proven(plan, scan(HTML))


def test_other_text_is_not_proven() -> None:
    """Pieces that are not the source with its edits, and links that the scan did not find, are not proven."""
    plan = compile_html(HTML)
    assert not is_proven(replace(plan, pieces=(*plan.pieces[:-1], plan.pieces[-1] + " ")), scan(HTML))
    assert not is_proven(replace(plan, pieces=plan.pieces[1:]), scan(HTML))
    assert not is_proven(plan, scan(HTML.replace("<a href=#y>", "<b href=#y>")))
