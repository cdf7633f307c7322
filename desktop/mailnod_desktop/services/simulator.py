"""The simulator: personas ask the real collector on this machine, and what they are judged to be is laid open.

Everything happens in a scratch store in a folder of its own, under a clock that the simulator moves. The tokens are
those of the rewritten mail, the requests are real HTTP over the loopback interface, and no redirect is followed, so
nothing leaves the machine.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from mailnod.errors import TokenError, TrackError
from mailnod.model import Claims, Delivery, Envelope
from mailnod.settings import Settings
from mailnod.tokens import Keyring
from mailnod_desktop.services.clients import Action, Move, Persona, choose_moves, get_persona
from mailnod_desktop.services.model import Inspection, LinkRow
from mailnod_desktop.services.scenarios import Scenario, Step, to_scenario
from mailnod_desktop.services.simulation import Asked, Condition, SimulationError, SimulationResult, name_row
from mailnod_desktop.services.stage import Stage

__all__ = ["MAX_HITS", "Simulator"]

#: Hits of one play: enough for a scanner in a mail of a hundred links.
MAX_HITS = 200


class Simulator:
    """Plays personas against a mail as it was rewritten; plays accumulate, as they do in a mailbox.

    A context manager; nothing is opened before the first play. Methods may be called from any thread.

    :param keyring: the keys that the mail was rewritten with.
    :param settings: those of the app, for what its routes say; nothing of its store is touched.
    :param folder: in which the scratch store has its folder; None takes the system's for temporary files.
    """

    def __init__(self, keyring: Keyring, settings: Settings, *, folder: Path | None = None) -> None:
        self._keyring = keyring
        self._folder = folder
        self._settings = settings
        self._lock = threading.RLock()
        self._stages: dict[bool, Stage] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int | None:
        """Where the collector listens; None before the first play."""
        stage = self._stages.get(False)
        return None if stage is None else stage.loopback.port

    @property
    def database(self) -> Path | None:
        """The scratch store, which others may read; None before the first play."""
        stage = self._stages.get(False)
        return None if stage is None else stage.database

    def play(
        self,
        inspection: Inspection,
        what: Persona | Scenario,
        link: LinkRow | None = None,
        recipient: str | None = None,
        *,
        action: Action = "usual",
        condition: Condition = "usual",
    ) -> SimulationResult:
        """Let a persona or a scenario act on a mail, and judge what came of it.

        :param link: what is clicked; the pixel lets a persona only open; None takes the first tracked link.
        :param recipient: whose copy is asked for; None takes the one that all recipients share.
        :param action: what a persona does.
        :raises SimulationError: the mail, or that link of it, is not tracked, or the scratch store failed.
        """
        if link is not None and not link.tracked:
            raise SimulationError(
                f"{name_row(link).capitalize()} is not tracked, so nobody hears of it: {link.reason}."
            )
        if isinstance(what, Persona):
            if link is not None and link.kind == "pixel":
                action = "open"
            what = to_scenario(what, action=action)
        with self._lock:
            try:
                return self._play(inspection, what, link, recipient, condition)
            except (TrackError, OSError) as error:
                raise SimulationError(f"The simulation failed: {error}.") from error

    def close(self) -> None:
        """Stop the collector and remove the scratch store; a later play begins with an empty one."""
        with self._lock:
            for stage in self._stages.values():
                stage.close()
            self._stages.clear()

    def _play(
        self,
        inspection: Inspection,
        scenario: Scenario,
        link: LinkRow | None,
        recipient: str | None,
        condition: Condition,
    ) -> SimulationResult:
        targets = _Targets(inspection, link)
        # Who has withdrawn stays so in a store, and must not spoil the other plays.
        stage = self._open_stage(aside=condition != "usual")
        copy = _make_copy(inspection, recipient, keyring=self._keyring, now=stage.clock.now(), condition=condition)
        sent_at = stage.send(copy.delivery, withdrawn=condition == "withdrawn")
        before = stage.read_metrics()
        known = {record.event.id: record.event.seq for record in stage.read_events()}
        asked: list[Asked] = []
        steps: list[Step] = []
        cut = False
        for step in scenario.steps:
            persona = get_persona(step.persona)
            if persona is None:
                raise SimulationError(f"There is no persona {step.persona!r}.")
            moves = choose_moves(persona, step.action)
            if step.after_s is not None:
                moves = (replace(moves[0], after_s=step.after_s), *moves[1:])
            chosen = targets.find(step.link)
            steps.append(step if link is None or link.link is None else replace(step, link=link.link.index))
            for move in moves:
                asked += stage.ask(move, targets.list(move, chosen), copy.fill, limit=MAX_HITS - len(asked))
                cut = cut or len(asked) >= MAX_HITS
        stage.work()
        records = stage.read_events()
        by_time = {record.observation.hit.received_at: record for record in records}
        hits = tuple(stage.tell(one, by_time.get(one.at), sent_at) for one in asked)
        stage.remember(asked)
        revised = [
            record for record in records if record.event.id in known and record.event.seq > known[record.event.id]
        ]
        return SimulationResult(
            title=scenario.name,
            recipient=copy.delivery.recipient,
            condition=condition,
            hits=hits,
            revised=tuple(stage.tell_again(record) for record in revised),
            before=before,
            after=stage.read_metrics(),
            steps=tuple(steps),
            cut=cut,
            database=stage.database,
        )

    def _open_stage(self, *, aside: bool) -> Stage:
        if aside not in self._stages:
            self._stages[aside] = Stage(self._keyring, self._settings, folder=self._folder)
        return self._stages[aside]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """The mail as one recipient got it."""

    delivery: Delivery
    #: What its links bear, and what the inspected links bear in its place.
    token: str
    inspected_token: str

    def fill(self, url: str) -> str:
        """Return the address in this copy that stands at the place of one in the inspected copy."""
        return url.replace(self.inspected_token, self.token)


class _Targets:
    """What there is to open and click in a mail."""

    def __init__(self, inspection: Inspection, link: LinkRow | None) -> None:
        if inspection.token is None:
            if inspection.as_sent:
                raise SimulationError(" ".join(inspection.unknown))
            why = inspection.error or "; ".join(inspection.decision.reasons) or "nothing is tracked"
            raise SimulationError(f"This mail leaves as it came, so there is nothing to ask for: {why}.")
        rows = [row for row in inspection.links if row.tracked and row.tracked_url]
        self._pixel = next((row for row in rows if row.kind == "pixel"), None)
        self._links = [row for row in rows if row.kind == "click"]
        self._hidden = [row for row in rows if row.kind == "honeypot"]
        self._chosen = link

    def find(self, index: int | None) -> LinkRow | None:
        """Return the link that a step clicks; None where there is none."""
        if index is None:
            clickable = self._chosen is not None and self._chosen.kind != "pixel"
            return self._chosen if clickable else next(iter(self._links), None)
        found = next((row for row in self._links if row.link is not None and row.link.index == index), None)
        if found is None:
            raise SimulationError(f"Link {index + 1} is not tracked in this mail, and the scenario clicks it.")
        return found

    def list(self, move: Move, chosen: LinkRow | None) -> list[LinkRow]:
        """Return what one move asks for."""
        if move.action == "open":
            return [self._pixel] if self._pixel is not None else []
        if move.action == "click":
            return [chosen] if chosen is not None else []
        # Scanners follow what they find, and the hidden link is there to be found.
        return sorted([*self._links, *self._hidden], key=lambda row: (row.body, row.offset))


def _make_copy(
    inspection: Inspection, recipient: str | None, *, keyring: Keyring, now: datetime, condition: Condition
) -> _Copy:
    """Return the delivery that a recipient's copy belongs to, as the app would have written it down."""
    inspected = inspection.token
    if inspected is None:
        raise SimulationError("This mail leaves as it came, so there is nothing to ask for.")
    shown = recipient in (None, inspection.wishes.recipient)
    token = inspected if shown else inspection.tokens.get(recipient or "")
    if token is None:
        raise SimulationError(f"The copy of {recipient} leaves untracked, so there is nothing to ask for.")
    try:
        claims = keyring.verify(token, now=now)
    except TokenError as error:
        raise SimulationError(
            "The links of this mail were signed with keys that are not here, so the collector of its app alone knows "
            "them. Change a switch to have it rewritten, or start with that app's MAILNOD_SECRET_KEYS."
        ) from error
    if condition == "withdrawn" and not (recipient or inspection.parsed.summary.recipients):
        raise SimulationError("The mail names no recipient who could have withdrawn.")
    if condition != "usual":
        claims, token = _sign_anew(claims, keyring, now=now, expired=condition == "expired")
    summary = inspection.parsed.summary
    delivery = Delivery(
        id=claims.delivery_id,
        envelope=Envelope(
            message_id=_find_message_id(inspection),
            recipients=summary.recipients if recipient is None else (recipient,),
            subject=summary.subject,
            sent_at=claims.expires_at - timedelta(days=31) if condition == "expired" else now,
        ),
        decision=inspection.decision,
        link_count=sum(row.tracked and row.kind in ("click", "text") for row in inspection.links),
        expires_at=claims.expires_at,
        destinations=_find_destinations(inspection) or None,
    )
    return _Copy(delivery=delivery, token=token, inspected_token=inspected)


def _sign_anew(claims: Claims, keyring: Keyring, *, now: datetime, expired: bool) -> tuple[Claims, str]:
    """Return the token of another copy of the same mail, genuine and perhaps past its last day."""
    last_day = now - timedelta(days=1) if expired else now + timedelta(days=30)
    token = keyring.sign(secrets.token_bytes(8), opens=claims.opens, clicks=claims.clicks, expires_at=last_day)
    return keyring.verify(token, now=now), token


def _find_destinations(inspection: Inspection) -> dict[int, str]:
    """Return where short links lead, which only the store knows."""
    return {
        row.link.index: row.url
        for row in inspection.links
        if row.tracked and row.kind in ("click", "text") and row.link is not None and "?" not in row.tracked_url
    }


def _find_message_id(inspection: Inspection) -> str:
    found = (value for name, value in inspection.parsed.headers if name.lower() == "message-id")
    return next(found, f"<{inspection.parsed.mail.key}@simulator.invalid>")[:998]
