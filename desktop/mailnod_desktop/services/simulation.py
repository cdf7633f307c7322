"""What a simulation hands back: each request, what it got, and what it was judged to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from mailnod.explanation import Explanation
from mailnod.model import Metrics
from mailnod.personas import Client, Response
from mailnod_desktop.services.model import LinkRow
from mailnod_desktop.services.scenarios import Step

__all__ = ["Asked", "Condition", "SimulatedHit", "SimulationError", "SimulationResult", "name_row"]

#: What stands in the way of recording: nothing, a token past its last day, or a recipient who withdrew consent.
Condition = Literal["usual", "expired", "withdrawn"]


class SimulationError(Exception):
    """There is nothing to play; the message says why, for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedHit:
    """One request, what it got, and what became of it."""

    #: Who asked, for a person to read, and from where.
    client: str
    address: str
    method: str
    #: What was asked for: "pixel", "link 3", "hidden link".
    what: str
    link_index: int | None
    #: Path and query, shortened.
    path: str
    #: Seconds after the mail was sent, on the simulated clock.
    at_s: float
    status: int
    #: Where the reply leads; nobody went there.
    location: str | None
    #: How the event is judged now, with its reasons; None where nothing was recorded.
    explanation: Explanation | None

    @property
    def event_id(self) -> bytes | None:
        """The event's id; None where nothing was recorded."""
        return None if self.explanation is None else self.explanation.record.event.id


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """What one play brought."""

    title: str
    #: For whom the mail was; None for a body that several share.
    recipient: str | None
    condition: Condition
    hits: tuple[SimulatedHit, ...]
    #: Hits of earlier plays whose verdict this one changed, as they are judged now.
    revised: tuple[SimulatedHit, ...]
    #: All counts of the scratch store, before and after.
    before: Metrics
    after: Metrics
    #: What was played, to be saved as a scenario.
    steps: tuple[Step, ...]
    #: Whether hits beyond the most that one play makes were left out.
    cut: bool
    database: Path

    @property
    def people(self) -> int:
        """How many of the hits count as a person's."""
        return sum(_count_as(hit) == "human" for hit in self.hits)

    @property
    def machines(self) -> int:
        """How many of the hits count as a machine's."""
        return sum(_count_as(hit) == "machine" for hit in self.hits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was made, before anybody has judged it."""

    client: Client
    address: str
    method: str
    row: LinkRow
    url: str
    at: datetime
    response: Response


def name_row(row: LinkRow) -> str:
    """Return what a person calls a link, the pixel or the hidden link of a mail."""
    if row.kind == "pixel":
        return "pixel"
    if row.kind == "honeypot" or row.link is None:
        return "hidden link"
    return f"link {row.link.index + 1}"


def _count_as(hit: SimulatedHit) -> Literal["human", "machine"] | None:
    return None if hit.explanation is None else hit.explanation.record.event.verdict.counted_as
