"""Decide whether a message is tracked, with the reasons in the order in which they were weighed; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailnod.model import Consent, ConsentState, Decision, Mode, Override, Route

__all__ = ["Layers", "Wish", "apply_consent", "pick", "wish"]

#: Overrides with the name of where they come from, lowest precedence first.
Layers = Sequence[tuple[str, Override]]

AXES = ("opens", "clicks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the sender wants, before the recipients are asked."""

    route: Route
    opens: bool
    clicks: bool
    reasons: tuple[str, ...]


def pick(layers: Layers, name: str) -> Any:
    """Return the value of one field from the highest layer that has it; None where none has."""
    values = (getattr(override, name) for _, override in reversed(layers))
    return next((value for value in values if value is not None), None)


def wish(route: Route, layers: Layers) -> Wish:
    """Return what the sender wants: the route's word, then each layer's on top of it."""
    wanted = {"opens": route.track_opens, "clicks": route.track_clicks}
    reasons = [f"route {route.name!r}: {_describe(wanted)}"]
    for source, override in layers:
        said = {axis: value for axis in AXES if (value := getattr(override, f"track_{axis}")) is not None}
        if said:
            wanted.update(said)
            reasons.append(f"{source}: {_describe(said)}")
    return Wish(route=route, reasons=tuple(reasons), **wanted)


def apply_consent(wanted: Wish, consents: Sequence[Consent]) -> Decision:
    """Return the decision: an axis is tracked where it is wanted and every recipient's consent allows it.

    A denial always wins. An unknown consent is enough only where the route says that it is assumed.

    :param consents: one for each recipient; none at all allows nothing.
    """
    reasons = list(wanted.reasons)
    modes = dict.fromkeys(AXES, Mode.NONE)
    for axis in AXES:
        if not getattr(wanted, axis):
            continue
        allowed, reason = _judge_axis(axis, wanted.route, consents)
        reasons.append(reason)
        if allowed:
            modes[axis] = Mode.INDIVIDUAL
    return Decision(opens=modes["opens"], clicks=modes["clicks"], route=wanted.route.name, reasons=tuple(reasons))


def _judge_axis(axis: str, route: Route, consents: Sequence[Consent]) -> tuple[bool, str]:
    states = [getattr(consent, axis) for consent in consents]
    count = f" ({states.count(ConsentState.DENIED)} of {len(states)} recipients)" if len(states) > 1 else ""
    if ConsentState.DENIED in states:
        source = consents[states.index(ConsentState.DENIED)].source
        return False, f"consent denied{count}{_by(source)}: {axis} off"
    unknown = states.count(ConsentState.UNKNOWN)
    if states and not unknown:
        return True, f"consent granted{_by(consents[0].source)}: {axis} on"
    if states and route.consent == "assumed":
        return True, f"consent assumed by route {route.name!r}: {axis} on"
    count = f" ({unknown} of {len(states)} recipients)" if len(states) > 1 else ""
    return False, f"consent unknown{count}: {axis} off"


def _by(source: str) -> str:
    return f" by {source}" if source else ""


def _describe(axes: dict[str, bool]) -> str:
    return ", ".join(f"{axis} {'on' if on else 'off'}" for axis, on in axes.items())
