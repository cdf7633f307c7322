"""Scenarios: what is saved is played again as it was, and a hostile file is refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailnod_desktop.services.clients import ACTIONS, PERSONAS, choose_moves, get_persona
from mailnod_desktop.services.scenarios import (
    MAX_FILES,
    SCENARIOS,
    Scenario,
    ScenarioError,
    ScenarioFolder,
    Step,
    parse_scenario,
    record,
)

GOOD: dict[str, Any] = {"form": 1, "name": "Mine", "about": "", "steps": [{"persona": "phone"}]}


def test_every_persona_says_what_it_is_and_where_that_is_known_from() -> None:
    """Personas have unique keys and names, words, a source and moves."""
    assert len({persona.key for persona in PERSONAS}) == len({persona.name for persona in PERSONAS}) == len(PERSONAS)
    assert all(persona.about and persona.source and persona.moves for persona in PERSONAS)
    assert all(get_persona(persona.key) is persona for persona in PERSONAS)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_persona_can_be_told_to_do_everything(action: str) -> None:
    """What a persona never does is done by its last program."""
    for persona in PERSONAS:
        moves = choose_moves(persona, action)  # type: ignore[arg-type]
        assert moves
        if action != "usual":
            assert moves[-1].action == action


def test_every_built_in_scenario_is_one_that_a_file_may_hold(tmp_path: Path) -> None:
    """Ours pass the check that files of others go through."""
    folder = ScenarioFolder(tmp_path)
    for scenario in SCENARIOS:
        folder.save(scenario)
    found, problems = folder.load()
    assert not problems
    assert sorted(found, key=lambda one: one.name) == sorted(SCENARIOS, key=lambda one: one.name)


def test_what_was_played_is_saved_and_comes_back(tmp_path: Path) -> None:
    """A recorded scenario is read back equal, and saving it again takes its place."""
    folder = ScenarioFolder(tmp_path / "new")
    steps = (Step(persona="gateway"), Step(persona="phone", action="click", link=3, after_s=90.0))
    scenario = record(steps, name="  Größe: a/b  ")
    first = folder.save(scenario)
    assert folder.save(scenario) == first
    assert folder.load() == ([scenario], [])
    folder.remove(scenario)
    assert folder.load() == ([], [])


def test_two_names_that_read_alike_get_two_files(tmp_path: Path) -> None:
    """A file name is made from the name and never takes another scenario's place."""
    folder = ScenarioFolder(tmp_path)
    names = ["a/b", "a b", "../a b"]
    assert len({folder.save(record([Step(persona="phone")], name=name)) for name in names}) == 3
    assert sorted(one.name for one in folder.load()[0]) == sorted(names)
    assert all(file.parent == tmp_path for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"form": 2}, "this program reads 1"),
        ({"form": True}, "this program reads 1"),
        ({"name": ""}, '"name" is empty'),
        ({"name": "x" * 81}, '"name" is no text'),
        ({"name": "two\nlines"}, '"name" is no text'),
        ({"name": "\ud800"}, '"name" is no text'),
        ({"about": 5}, '"about" is no text'),
        ({"stepz": []}, "did you mean 'steps'"),
        ({"steps": []}, "no list of 1 to 50"),
        ({"steps": [{"persona": "phone"}] * 51}, "no list of 1 to 50"),
        ({"steps": ["phone"]}, "step 1 is no JSON object"),
        ({"steps": [{"persona": "fone"}]}, "did you mean 'phone'"),
        ({"steps": [{"persona": ["phone"]}]}, "step 1: unknown persona"),
        ({"steps": [{"persona": "phone", "action": "clicks"}]}, "did you mean 'click'"),
        ({"steps": [{"persona": "phone", "link": -1}]}, '"link" is -1'),
        ({"steps": [{"persona": "phone", "link": True}]}, '"link" is True'),
        ({"steps": [{"persona": "phone", "after_s": float("nan")}]}, '"after_s" is nan'),
        ({"steps": [{"persona": "phone", "after_s": 1e300}]}, '"after_s" is 1e\\+300'),
        ({"steps": [{"persona": "phone", "delay": 1}]}, "unknown field 'delay'"),
    ],
)
def test_what_is_no_scenario_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    """Each field is checked, and the message names the place and the nearest known name."""
    with pytest.raises(ScenarioError, match=words):
        parse_scenario({**GOOD, **change})
    assert parse_scenario(GOOD) == Scenario(name="Mine", about="", steps=(Step(persona="phone"),))


def test_a_hostile_folder_holds_nothing_up(tmp_path: Path) -> None:
    """Files that are broken, huge, nested or not text are named, and the good ones are read."""
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    (tmp_path / "huge.json").write_bytes(b" " * 70_000)
    (tmp_path / "nested.json").write_bytes(b"[" * 60_000)
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    (tmp_path / "number.json").write_text("1" * 5000)
    (tmp_path / "folder.json").mkdir()
    found, problems = ScenarioFolder(tmp_path).load()
    assert [one.name for one in found] == ["Mine"]
    assert sorted(problem.partition(":")[0] for problem in problems) == [
        "binary.json",
        "folder.json",
        "huge.json",
        "nested.json",
        "number.json",
    ]


def test_a_folder_of_thousands_is_read_so_far(tmp_path: Path) -> None:
    """More files than anybody keeps are said to have been left out."""
    for number in range(MAX_FILES + 5):
        (tmp_path / f"{number:04}.json").write_text(json.dumps({**GOOD, "name": f"n{number}"}))
    found, problems = ScenarioFolder(tmp_path).load()
    assert len(found) == MAX_FILES
    assert problems == ["5 more files were left out: 200 are read"]


def test_a_folder_that_cannot_be_written_is_an_error_with_words(tmp_path: Path) -> None:
    """Where the folder's place is taken by a file, saving says so and loading finds nothing."""
    (tmp_path / "taken").write_text("")
    folder = ScenarioFolder(tmp_path / "taken")
    with pytest.raises(ScenarioError, match="cannot be saved"):
        folder.save(SCENARIOS[0])
    assert folder.load()[0] == []
