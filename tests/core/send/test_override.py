"""Overrides from keywords, headers and context."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.model import Override
from mailnod.send.override import current_override, is_own_header, make_override, read_headers, read_layers, tracking


@pytest.mark.parametrize("value", ["true", "True", " YES ", "on", "1"])
def test_header_turns_on(value: str) -> None:
    """Our headers read the usual words for yes, in any case."""
    assert read_headers([("X-Mailnod-Track-Opens", value)]) == Override(track_opens=True)


@pytest.mark.parametrize("value", ["false", "no", "off", "0", "", "tru", "maybe", "true\r\nBcc: x@example.com"])
def test_header_that_cannot_be_read_means_off(value: str) -> None:
    """Everything that is not a clear yes is a no."""
    assert read_headers([("x-mailnod-track-clicks", value)]) == Override(track_clicks=False)


def test_unknown_header_of_ours_means_off() -> None:
    """A misspelt header of ours was meant to say something, so both axes are off."""
    assert read_headers([("X-Mailnod-Trak-Opens", "true")]) == Override(track_opens=False, track_clicks=False)


def test_header_that_stands_twice_is_off_if_either_is() -> None:
    """Of two values the careful one wins, in either order."""
    for values in (["true", "false"], ["false", "true"]):
        assert read_headers([("X-Mailnod-Track-Opens", v) for v in values]) == Override(track_opens=False)


def test_route_header_names_a_route() -> None:
    """A route can be chosen by header; a name that cannot be one turns tracking off."""
    assert read_headers([("X-Mailnod-Route", "news")]) == Override(route="news")
    assert read_headers([("X-Mailnod-Route", "a b")]) == Override(track_opens=False, track_clicks=False)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("X-LM-Override-Track-Opens", "false", Override(track_opens=False)),
        ("X-LM-Override-Track-Clicks", "false", Override(track_clicks=False)),
        ("X-PM-TrackOpens", "False", Override(track_opens=False)),
        ("X-PM-TrackLinks", "None", Override(track_clicks=False)),
        ("X-Mailgun-Track", "no", Override(track_opens=False, track_clicks=False)),
        ("X-Mailgun-Track-Opens", "no", Override(track_opens=False)),
        ("X-Mailgun-Track-Clicks", "nonsense", Override(track_clicks=False)),
        ("X-No-Track", "anything", Override(track_opens=False, track_clicks=False)),
        ("X-PM-TrackOpens", "true", None),
        ("X-PM-TrackLinks", "HtmlAndText", None),
        ("Subject", "false", None),
    ],
)
def test_headers_of_other_senders_only_turn_off(name: str, value: str, expected: Override | None) -> None:
    """Another sender's header may turn tracking off and never on."""
    assert read_headers([(name, value)]) == expected


def test_header_that_cannot_be_read_is_named_in_the_log_without_its_value(caplog: pytest.LogCaptureFixture) -> None:
    """Who misspells a header finds its name in the log, and nobody finds what it said."""
    read_headers([("X-Mailnod-Foo", "a@example.com"), ("X-Mailnod-Track-Opens", "maybe"), ("X-No-Track", "1")])
    assert [record.args for record in caplog.records] == [("x-mailnod-foo",), ("x-mailnod-track-opens",)]


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), max_size=10))
def test_any_headers_can_be_read(headers: list[tuple[str, str]]) -> None:
    """Reading headers never raises and never turns anything on by accident."""
    override = read_headers(headers)
    assert override is None or not override.track_opens or any(is_own_header(name) for name, _ in headers)


def test_only_our_headers_are_ours() -> None:
    """Our headers are known by their prefix, in any case."""
    assert is_own_header("X-MAILNOD-anything")
    assert not is_own_header("X-Mailnodder")
    assert not is_own_header("X-PM-TrackOpens")


def test_unknown_keyword_is_refused_with_the_nearest_name() -> None:
    """A misspelt keyword names the one that was meant."""
    with pytest.raises(TypeError, match="'track_open'.*'track_opens'"):
        make_override(track_open=True)


@pytest.mark.parametrize(
    "keywords",
    [
        {"track_opens": "false"},
        {"track_clicks": 1},
        {"campaign": 5},
        {"tags": "news"},
        {"tags": [1]},
        {"metadata": [("a", "b")]},
        {"metadata": {"a": 1}},
    ],
)
def test_keyword_of_a_wrong_type_is_refused(keywords: dict[str, Any]) -> None:
    """A text such as "false" is truthy, so only real booleans and texts are taken."""
    with pytest.raises(TypeError, match=next(iter(keywords))):
        make_override(**keywords)


@pytest.mark.parametrize(
    "keywords", [{"campaign": "a\r\nBcc: x"}, {"route": "a\0"}, {"tags": ["a\n"]}, {"metadata": {"a\r": "b"}}]
)
def test_control_characters_are_refused(keywords: dict[str, Any]) -> None:
    """CR, LF and NUL have no place in a keyword."""
    with pytest.raises(ValueError, match="control character"):
        make_override(**keywords)


def test_layers_of_a_message_stand_in_their_order() -> None:
    """What the headers wish lies below what the attributes wish; a message that wishes nothing has no layer."""
    headers = [("X-Mailnod-Track-Opens", "true")]
    assert read_layers([], {}) == []
    assert [name for name, _ in read_layers(headers, {"track_opens": False})] == ["header", "message attribute"]


@pytest.mark.parametrize("attributes", [{"track_opens": "yes"}, {"campaign": "a\r\nb"}, {"tags": 5}])
def test_attributes_that_cannot_be_read_mean_off(attributes: dict[str, Any]) -> None:
    """An attribute of a wrong type was meant to say something, so both axes are off."""
    assert read_layers([], attributes) == [("message attribute", Override(track_opens=False, track_clicks=False))]


def test_context_manager_nests_and_ends() -> None:
    """The inner block wins, inherits the rest, and the outer one holds again after it."""
    assert current_override() is None
    with tracking(track_opens=True, campaign="a"):
        with tracking(track_opens=False):
            assert current_override() == Override(track_opens=False, campaign="a")
        assert current_override() == Override(track_opens=True, campaign="a")
    assert current_override() is None


def test_context_manager_ends_after_an_error() -> None:
    """An error inside the block ends the override too."""
    with pytest.raises(RuntimeError), tracking(track_opens=True):
        raise RuntimeError
    assert current_override() is None


def test_other_threads_do_not_see_the_context() -> None:
    """A block belongs to the thread or task that entered it."""
    seen: list[Override | None] = []
    with tracking(track_opens=True):
        thread = threading.Thread(target=lambda: seen.append(current_override()))
        thread.start()
        thread.join()
    assert seen == [None]
