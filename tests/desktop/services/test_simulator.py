"""The simulator: personas ask the real collector, and what they are judged to be is laid open."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mailnod.model import Classification, ConsentState, EventFilter
from mailnod.settings import Settings
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.services.clients import PERSONAS, Persona, get_persona
from mailnod_desktop.services.model import Inspection, LinkRow, Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.services.scenarios import SCENARIOS, Scenario, Step, record
from mailnod_desktop.services.simulation import SimulatedHit, SimulationError, SimulationResult
from mailnod_desktop.services.simulator import MAX_HITS, Simulator

ONE, TWO = "one@example.com", "two@example.com"


@dataclass
class Room:
    """A simulator and a mail for it."""

    rewriter: Rewriter
    simulator: Simulator

    def inspect(self, *, links: int = 5, key: str = "mail", **wishes: object) -> Inspection:
        """Rewrite a mail with so many links."""
        body = "".join(f'<p><a href="https://example.com/{number}">Number {number}</a></p>' for number in range(links))
        head = (
            f"Subject: News\r\nMessage-ID: <{key}@example.com>\r\nTo: {ONE}, {TWO}\r\nContent-Type: text/html\r\n\r\n"
        )
        mail = Mail(key=key, name="news.eml", origin="file", data=(head + f"<body>{body}</body>").encode())
        return self.rewriter.inspect(parse(mail), Wishes(**wishes))  # type: ignore[arg-type]


def open_room(route: dict[str, object]) -> Room:
    """Return a room whose route is as given."""
    settings = Settings.from_mapping(
        {
            "MAILNOD_BASE_URL": "https://app.example/t",
            "MAILNOD_DEFAULT_ROUTE": "news",
            "MAILNOD_ROUTES": {"news": {"track_opens": True, "track_clicks": True, **route}},
        }
    )
    rewriter = Rewriter(settings, None)
    return Room(rewriter, Simulator(rewriter.keyring, rewriter.settings))


@pytest.fixture
def room() -> Iterator[Room]:
    """Give a room with a plain route."""
    room = open_room({})
    with room.simulator:
        yield room


def persona(key: str) -> Persona:
    """Return a persona that is there."""
    found = get_persona(key)
    assert found is not None
    return found


def classify(result: SimulationResult) -> list[Classification | None]:
    """Return what each hit was judged to be."""
    return [get_class(hit) for hit in result.hits]


def get_class(hit: SimulatedHit) -> Classification | None:
    """Return what a hit was judged to be; None where nothing was recorded."""
    return None if hit.explanation is None else hit.explanation.record.event.verdict.classification


def find_link(inspection: Inspection, number: int) -> LinkRow:
    """Return a link by its number, from 0."""
    return next(row for row in inspection.links if row.link is not None and row.link.index == number)


@pytest.mark.parametrize("one", PERSONAS, ids=[one.key for one in PERSONAS])
def test_every_persona_is_judged_to_be_what_it_is(room: Room, one: Persona) -> None:
    """People's hits count as people's and machines' as machines', each with reasons in words."""
    result = room.simulator.play(room.inspect(), one, recipient=ONE)
    assert len(result.hits) >= len(one.moves)
    for hit in result.hits:
        assert hit.explanation is not None
        assert hit.status == (200 if hit.what == "pixel" else 302)
        assert all(reason.sentence and reason.weight is not None for reason in hit.explanation.reasons)
    assert (result.people > 0) is not one.machine
    if one.machine:
        assert result.machines == len(result.hits)
    counted = result.after.observed_opens + result.after.observed_clicks
    assert counted == result.people + result.machines == len(result.hits)


def test_redirects_are_read_and_not_followed(room: Room) -> None:
    """The reply says where a click leads, which is what the sender wrote; the path shows no whole token."""
    inspection = room.inspect()
    result = room.simulator.play(inspection, persona("desktop"), find_link(inspection, 3), ONE)
    click = result.hits[-1]
    assert click.location == "https://example.com/3"
    assert (click.what, click.link_index, click.method) == ("link 4", 3, "GET")
    assert click.event_id is not None
    assert inspection.tokens[ONE] not in click.path


def test_a_later_hit_changes_what_an_earlier_one_was_judged_to_be(room: Room) -> None:
    """Plays accumulate, as they do in a mailbox: the judge sees both."""
    scenario = Scenario(name="walk", about="", steps=(Step(persona="safe_links", action="click", link=0, after_s=3.0),))
    inspection = room.inspect()
    alone = room.simulator.play(inspection, scenario, recipient=ONE)
    assert not alone.revised
    more = replace(
        scenario, steps=tuple(Step(persona="safe_links", action="click", link=n, after_s=1.0) for n in (1, 2))
    )
    later = room.simulator.play(inspection, more, recipient=ONE)
    (revised,) = later.revised
    assert revised.event_id == alone.hits[0].event_id
    assert revised.explanation is not None
    assert "window.burst" in revised.explanation.record.event.verdict.reason_codes
    assert later.before == alone.after
    assert later.after.machine_clicks == 3


def test_a_copied_click_is_told_from_the_persons(room: Room) -> None:
    """A server that copies a click half a minute later is a scanner, and the person stays one."""
    scenario = next(one for one in SCENARIOS if one.name == "Person, then scanner")
    assert classify(room.simulator.play(room.inspect(), scenario, recipient=ONE)) == [
        Classification.GENUINE,
        Classification.GENUINE,
        Classification.SECURITY_SCANNER,
    ]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.name for one in SCENARIOS])
def test_every_scenario_can_be_played_saved_and_played_again(scenario: Scenario) -> None:
    """What was played is recorded as a scenario that brings the same verdicts."""
    seen = []
    for _ in range(2):
        room = open_room({})
        with room.simulator:
            result = room.simulator.play(room.inspect(), scenario, recipient=ONE)
            seen.append(classify(result))
            scenario = record(result.steps, name="again")
    assert seen[0] == seen[1]


def test_the_copies_of_two_recipients_are_two_deliveries(room: Room) -> None:
    """Each recipient's own token is asked for, and the shared copy is nobody's."""
    inspection = room.inspect()
    results = [room.simulator.play(inspection, persona("phone"), recipient=who) for who in (ONE, TWO, None)]
    assert [result.recipient for result in results] == [ONE, TWO, None]
    assert results[-1].after.deliveries == 3
    assert results[-1].after.human_opens_unique == 3


@pytest.mark.parametrize("condition", ["expired", "withdrawn"])
def test_what_may_not_be_recorded_is_answered_and_not_recorded(room: Room, condition: str) -> None:
    """Past its last day, and for who has withdrawn, a redirect still works and nothing is kept."""
    inspection = room.inspect()
    result = room.simulator.play(inspection, persona("phone"), recipient=ONE, condition=condition)  # type: ignore[arg-type]
    assert [hit.status for hit in result.hits] == [200, 302]
    assert classify(result) == [None, None]
    assert result.after.observed_opens == result.after.observed_clicks == 0
    usual = room.simulator.play(inspection, persona("phone"), recipient=ONE)
    assert usual.people == 2


@pytest.mark.parametrize("style", ["portable", "short"])
def test_short_links_and_hidden_links_are_asked_for_too(style: str) -> None:
    """Scanners follow the hidden link, and short links lead where they should."""
    room = open_room({"link_style": style, "honeypot": True})
    with room.simulator:
        result = room.simulator.play(room.inspect(), persona("safe_links"), recipient=ONE)
        assert [hit.what for hit in result.hits] == [f"link {n}" for n in range(1, 6)] + ["hidden link"]
        assert [hit.location for hit in result.hits[:5]] == [f"https://example.com/{n}" for n in range(5)]
        assert result.hits[-1].status == 200
        assert set(classify(result)) == {Classification.SECURITY_SCANNER}


def test_the_pixel_alone_is_opened_where_it_is_chosen(room: Room) -> None:
    """Who chooses the pixel sees no click."""
    inspection = room.inspect()
    pixel = next(row for row in inspection.links if row.kind == "pixel")
    result = room.simulator.play(inspection, persona("desktop"), pixel, ONE)
    assert [hit.what for hit in result.hits] == ["pixel"]


def test_a_mail_of_a_thousand_links_is_followed_so_far(room: Room) -> None:
    """One play ends somewhere, and says so."""
    result = room.simulator.play(room.inspect(links=MAX_HITS + 20), persona("safe_links"), recipient=ONE)
    assert result.cut
    assert len(result.hits) == MAX_HITS


def test_others_may_read_the_scratch_store_until_it_is_closed() -> None:
    """The database is a store as any, in a folder that only its owner may enter, and ends with the simulator."""
    room = open_room({})
    with room.simulator as simulator:
        assert simulator.port is None
        result = simulator.play(room.inspect(), persona("phone"), recipient=ONE)
        assert simulator.database == result.database
        assert simulator.port is not None
        port = simulator.port
        assert result.database.parent.stat().st_mode & 0o077 == 0
        store = SQLiteStore(result.database, read_only=True)
        ids = {found.event.id for found in store.get_events(EventFilter())}
        store.close()
        assert ids == {hit.event_id for hit in result.hits}
    assert not result.database.parent.exists()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):  # noqa: PT011
        pass
    assert simulator.database is None


def test_what_is_not_tracked_is_not_played(room: Room) -> None:
    """Where no request would reach a collector, the message says why."""
    play = room.simulator.play
    with pytest.raises(SimulationError, match="leaves as it came"):
        play(room.inspect(consent_opens=ConsentState.DENIED, consent_clicks=ConsentState.DENIED), persona("phone"))
    inspection = room.inspect(refused=frozenset({(0, 2)}))
    with pytest.raises(SimulationError, match="Link 3 is not tracked"):
        play(inspection, persona("phone"), find_link(inspection, 2))
    with pytest.raises(SimulationError, match="Link 3 is not tracked in this mail"):
        play(inspection, Scenario(name="x", about="", steps=(Step(persona="phone", link=2),)))
    with pytest.raises(SimulationError, match="copy of nobody@example.com leaves untracked"):
        play(inspection, persona("phone"), recipient="nobody@example.com")
    other = Simulator(open_room({}).rewriter.keyring, room.rewriter.settings)
    with other, pytest.raises(SimulationError, match="signed with keys that are not here"):
        other.play(inspection, persona("phone"))


def test_nothing_of_the_apps_store_is_touched(tmp_path: Path) -> None:
    """The database that the settings name is neither made nor read."""
    room = open_room({})
    settings = replace(room.rewriter.settings, database=tmp_path / "app.db", spool=tmp_path / "spool")
    with Simulator(room.rewriter.keyring, settings) as simulator:
        simulator.play(room.inspect(), persona("gateway"), recipient=ONE)
        assert list(tmp_path.iterdir()) == []
