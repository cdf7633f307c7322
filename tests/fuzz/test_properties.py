"""What holds for every document, whatever its markup."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.documents import any_document
from mailnod.html.entities import decode_attribute
from mailnod.html.plan import Plan, compile_plan
from mailnod.html.scan import scan
from mailnod.html.urls import check_destination, find_destination, quote_destination
from mailnod.tokens import TAG_CHARS, TOKEN_CHARS

FUZZ = settings.get_profile("fuzz")
TOKENS = ("0123456789abcdefghijklmnopqrst-_", "Z" * 32)


def compile_html(html: str) -> Plan:
    """Compile with both axes on."""
    return compile_plan(
        html,
        base_url="https://t.example/x",
        tag_link=lambda index, url: f"{index:016d}",
        track_opens=True,
        track_clicks=True,
    )


@settings(FUZZ)
@given(html=any_document(), token=st.sampled_from(TOKENS))
def test_restoring_is_exact(html: str, token: str) -> None:
    """Filling a plan and taking the edits back gives the source."""
    plan = compile_html(html)
    assert plan.restore(plan.fill(token)) == html


@settings(FUZZ)
@given(html=any_document())
def test_nothing_else_is_touched(html: str) -> None:
    """Between two edits the filled text is the source, character by character."""
    plan = compile_html(html)
    filled, position, place = plan.fill(TOKENS[0]), 0, 0
    for edit in plan.edits:
        kept = html[position : edit.start]
        assert filled.startswith(kept + edit.fill(TOKENS[0]), place)
        place += len(kept) + len(edit.fill(TOKENS[0]))
        position = edit.end
    assert filled[place:] == html[position:]


@settings(FUZZ)
@given(html=any_document())
def test_filling_is_linear(html: str) -> None:
    """A plan has one slot for each tracked link and its pixel, and filling adds a token to each and no more."""
    plan = compile_html(html)
    slots = len(plan.pieces) - 1
    assert slots == sum(link.tracked for link in plan.links) + (plan.pixel != "none")
    assert len(plan.fill(TOKENS[0])) == sum(map(len, plan.pieces)) + slots * TOKEN_CHARS
    room = TAG_CHARS + len("https://t.example/x/c/..?u=") + 200
    assert sum(map(len, plan.pieces)) <= len(html) * 3 + len(plan.links) * room + 200


@settings(FUZZ)
@given(html=any_document())
def test_reading_afresh_agrees(html: str) -> None:
    """What was proven of a plan without reading its filled text shows when that is read."""
    compile_html(html).verify()


@settings(FUZZ)
@given(html=any_document())
def test_an_image_is_seen_at_each_place(html: str) -> None:
    """Wherever a scan says that a pixel may stand, a scan finds it, and nothing else changes by it."""
    found, image = scan(html), "<img src='/o/x'>"
    places = (found.body_start, found.body_end, found.html_end, found.head_end, found.safe_end, 0)
    for place in {place for place in places if place is not None}:
        edited = scan(html[:place] + image + html[place:], images="/o/")
        assert place in [one.start for one in edited.images]
        expected = [anchor.start + len(image) * (anchor.start >= place) for anchor in found.anchors]
        assert [anchor.start for anchor in edited.anchors] == expected


@settings(FUZZ)
@given(html=any_document())
def test_editing_an_edited_mail_changes_no_link(html: str) -> None:
    """A second pass tracks nothing that the first left, and adds no second pixel."""
    first = compile_html(html)
    second = compile_html(first.fill(TOKENS[0]))
    assert not any(link.tracked for link in second.links)
    assert first.pixel == "none" or second.pixel == "none"


@settings(FUZZ)
@given(value=st.text(max_size=40) | st.text(alphabet="htps:/\\.@[]%?#& aé0-9", max_size=40).map("https:".__add__))
def test_a_destination_is_safe_and_travels(value: str) -> None:
    """What is taken for a destination is safe to redirect to, and comes back from the parameter as it was."""
    found = find_destination(value)
    if found.obstacle is None:
        assert check_destination(found.url)
        assert not set(quote_destination(found.url)) & set("&<>\"'+=# \t\r\n`")
        assert decode_attribute(quote_destination(found.url)) == quote_destination(found.url)
