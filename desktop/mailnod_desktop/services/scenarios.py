"""Scenarios: what several personas do with one mail, one after the other; ours, and those that a person has saved."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from mailnod.settings import refuse_unknown
from mailnod_desktop.services.clients import ACTIONS, PERSONAS, Action, Persona, get_persona

__all__ = [
    "SCENARIOS",
    "Scenario",
    "ScenarioError",
    "ScenarioFolder",
    "Step",
    "parse_scenario",
    "record",
    "to_scenario",
]

#: The form of the files, which bear it.
FORM = 1
MAX_FILE_BYTES = 64 * 1024
MAX_FILES = 200
MAX_STEPS = 50
MAX_NAME_CHARS = 80
MAX_ABOUT_CHARS = 500
#: Raw facts are erased after weeks, and a scenario must end before that.
MAX_AFTER_S = 7 * 86_400.0
#: Beyond it no link of a mail is numbered.
MAX_LINK = 999_998


class ScenarioError(Exception):
    """A scenario cannot be read or written; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One persona's turn."""

    #: Key of the persona.
    persona: str
    action: Action = "usual"
    #: Which link is clicked, by its number in the mail from 0; None takes the one that is chosen when it is played.
    link: int | None = None
    #: Seconds since the step before, or since the mail was sent; None waits as the persona does.
    after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Steps in order, with a name."""

    name: str
    about: str
    steps: tuple[Step, ...]


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="Scanner, then person",
        about="A gateway follows every link at delivery; the person reads and clicks later. Only the person counts.",
        steps=(Step(persona="gateway"), Step(persona="phone", after_s=420)),
    ),
    Scenario(
        name="Person, then scanner",
        about="A person clicks, and half a minute later a server copies the click from another network.",
        steps=(Step(persona="desktop"), Step(persona="safe_links", action="click", after_s=12)),
    ),
    Scenario(
        name="Prefetch, then real open",
        about="Apple's privacy protection loads the pixel unread; hours later the person opens the mail elsewhere.",
        steps=(Step(persona="apple_mpp"), Step(persona="gmail", after_s=3 * 3600)),
    ),
    Scenario(
        name="Safe Links burst",
        about="Microsoft follows all links within a second or two of delivery.",
        steps=(Step(persona="safe_links", action="click_all"),),
    ),
    Scenario(
        name="HEAD, then GET",
        about="Office asks with HEAD whether a page exists, and the person's browser then opens it: one of two counts.",
        steps=(Step(persona="outlook"),),
    ),
    Scenario(
        name="Shared office address",
        about="Three colleagues behind one address read a forwarded mail within minutes; all of them are people.",
        steps=(
            Step(persona="office"),
            Step(persona="office", after_s=95),
            Step(persona="office", action="click", after_s=140),
        ),
    ),
)


def to_scenario(persona: Persona, *, action: Action = "usual", link: int | None = None) -> Scenario:
    """Return the scenario in which one persona acts alone."""
    return Scenario(
        name=persona.name, about=persona.about, steps=(Step(persona=persona.key, action=action, link=link),)
    )


def record(steps: Iterable[Step], *, name: str, about: str = "") -> Scenario:
    """Return what was played as a scenario that can be saved and played again.

    :param steps: those of each play in order (``SimulationResult.steps``).
    :raises ScenarioError: there are none or too many, or the name is empty or too long.
    """
    scenario = Scenario(name=name.strip(), about=about.strip(), steps=tuple(steps))
    return parse_scenario(_to_plain(scenario))


def parse_scenario(value: object) -> Scenario:
    """Check what a file holds.

    :param value: as ``json`` reads it.
    :raises ScenarioError: it is no scenario; the message names the place.
    """
    fields = _read_object(value, "the file", {"form", "name", "about", "steps"})
    if fields.get("form") != FORM or isinstance(fields.get("form"), bool):
        raise ScenarioError(f'the file says "form": {_show(fields.get("form"))}; this program reads {FORM}')
    name = _read_text(fields.get("name"), "name", MAX_NAME_CHARS)
    if not name:
        raise ScenarioError('"name" is empty')
    steps = fields.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MAX_STEPS:
        raise ScenarioError(f'"steps" is no list of 1 to {MAX_STEPS} steps')
    return Scenario(
        name=name,
        about=_read_text(fields.get("about", ""), "about", MAX_ABOUT_CHARS),
        steps=tuple(_parse_step(step, number) for number, step in enumerate(steps, 1)),
    )


class ScenarioFolder:
    """The scenarios that a person has saved, one JSON file each.

    :param path: the folder; it is made when the first one is saved.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[list[Scenario], list[str]]:
        """Return what is there, by name, and what is wrong with the files that cannot be read, in words."""
        found, problems = [], []
        try:
            files = sorted(self.path.glob("*.json"))
        except OSError as error:
            return [], [f"{self.path}: {error.strerror or error}"]
        for file in files[:MAX_FILES]:
            try:
                found.append(_read_file(file))
            except ScenarioError as error:
                problems.append(f"{file.name}: {error}")
        if len(files) > MAX_FILES:
            problems.append(f"{len(files) - MAX_FILES} more files were left out: {MAX_FILES} are read")
        return sorted(found, key=lambda scenario: scenario.name.casefold()), problems

    def save(self, scenario: Scenario) -> Path:
        """Write a scenario, in the place of the one with the same name.

        :returns: the file.
        :raises ScenarioError: the file cannot be written.
        """
        text = json.dumps(_to_plain(scenario), indent=2, ensure_ascii=False) + "\n"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = self._find_place(scenario.name)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self.path, prefix=".", suffix=".part", delete=False
            ) as part:
                part.write(text)
            Path(part.name).replace(file)
        except OSError as error:
            raise ScenarioError(f"the scenario cannot be saved in {self.path}: {error.strerror or error}") from error
        return file

    def remove(self, scenario: Scenario) -> None:
        """Remove the file of a scenario; nothing happens where there is none.

        :raises ScenarioError: the file cannot be removed.
        """
        for file in self._find_files(scenario.name):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise ScenarioError(f"{file} cannot be removed: {error.strerror or error}") from error

    def _find_files(self, name: str) -> list[Path]:
        found = []
        for file in sorted(self.path.glob("*.json"))[:MAX_FILES]:
            try:
                if _read_file(file).name == name:
                    found.append(file)
            except ScenarioError:
                continue
        return found

    def _find_place(self, name: str) -> Path:
        same = self._find_files(name)
        if same:
            return same[0]
        stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "scenario"
        names = (f"{stem}{f'-{number}' if number > 1 else ''}.json" for number in range(1, MAX_FILES + 2))
        return next(file for file in map(self.path.joinpath, names) if not file.exists())


def _read_file(file: Path) -> Scenario:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ScenarioError(f"larger than {MAX_FILE_BYTES // 1024} KB")
        return parse_scenario(json.loads(data))
    except OSError as error:
        raise ScenarioError(error.strerror or str(error)) from error
    except RecursionError:
        raise ScenarioError("nested too deeply") from None
    except ValueError as error:
        raise ScenarioError(f"no JSON: {error}") from error


def _parse_step(value: object, number: int) -> Step:
    place = f"step {number}"
    fields = _read_object(value, place, {"persona", "action", "link", "after_s"})
    key, action, link, after_s = (fields.get(name) for name in ("persona", "action", "link", "after_s"))
    if not isinstance(key, str) or get_persona(key) is None:
        raise ScenarioError(f"{place}: {_refuse('persona', key, [persona.key for persona in PERSONAS])}")
    if action is None:
        action = "usual"
    if action not in ACTIONS:
        raise ScenarioError(f"{place}: {_refuse('action', action, ACTIONS)}")
    if link is not None and not (type(link) is int and 0 <= link <= MAX_LINK):
        raise ScenarioError(f'{place}: "link" is {_show(link)}, and no number of a link or null')
    if after_s is not None and not (type(after_s) in (int, float) and 0 <= after_s <= MAX_AFTER_S):
        raise ScenarioError(
            f'{place}: "after_s" is {_show(after_s)}, and no number from 0 to {MAX_AFTER_S:.0f} or null'
        )
    return Step(
        persona=key, action=cast("Action", action), link=link, after_s=None if after_s is None else float(after_s)
    )


def _read_object(value: object, place: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{place} is no JSON object")
    for key in value:
        if key not in known:
            raise ScenarioError(f"{place}: {_refuse('field', key, known)}")
    return value


def _read_text(value: object, name: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value):
        raise ScenarioError(f'"{name}" is no text of at most {most} characters on one line')
    return value.strip()


def _refuse(what: str, value: object, known: Iterable[str]) -> str:
    return str(refuse_unknown(what, value[:60] if isinstance(value, str) else _show(value), known))


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _to_plain(scenario: Scenario) -> dict[str, object]:
    steps: Sequence[dict[str, object]] = [asdict(step) for step in scenario.steps]
    return {"form": FORM, "name": scenario.name, "about": scenario.about, "steps": list(steps)}
