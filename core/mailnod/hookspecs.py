"""Every hook that a plugin may implement, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from mailnod.model import Consent, Decision, Envelope, Event, Link, Observation, Signal, Verdict, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from mailnod.html.plan import Plan
    from mailnod.settings import Settings
    from mailnod.store.base import Store

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("mailnod")
#: Marks a plugin's functions; the function's name is the hook's.
hookimpl = pluggy.HookimplMarker("mailnod")


@hookspec(firstresult=True)
def get_route(envelope: Envelope) -> str | None:
    """Name the route of a message that names none itself; None leaves it to the next plugin."""


@hookspec
def get_consent(recipient: str, purpose: str, envelope: Envelope) -> Consent | None:
    """Say what is known of a recipient's consent; any denial wins, and a source that raises counts as a denial."""


@hookspec
def allow_link(link: Link, envelope: Envelope) -> bool | None:
    """Return False to leave a link alone; a plugin that raises leaves it alone too."""


@hookspec
def change_url(url: str, link: Link, envelope: Envelope) -> str | None:
    """Return another destination for a link, for example with campaign parameters; each plugin gets the last one's."""


@hookspec
def message_prepared(envelope: Envelope, plan: Plan, decision: Decision) -> None:
    """Learn that an HTML body was rewritten and is about to be sent."""


@hookspec
def observation_recorded(observation: Observation) -> None:
    """Learn that a hit came into the store; it is not judged yet."""


@hookspec
def find_signals(observation: Observation, window: Window) -> Iterable[Signal] | None:
    """Add evidence for or against a machine; it is weighed with that of the rules."""


@hookspec(firstresult=True)
def override_verdict(observation: Observation, verdict: Verdict) -> Verdict | None:
    """Set another verdict than the rules came to; None leaves it to the next plugin."""


@hookspec
def event_created(event: Event) -> None:
    """Learn that an observation was judged and published."""


@hookspec
def event_revised(event: Event, previous: Event) -> None:
    """Learn that later evidence changed a published event."""


@hookspec(firstresult=True)
def open_store(settings: Settings, read_only: bool) -> Store | None:
    """Return the store that ``settings.database`` names, unopened; None where it is another engine's."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands to ``mailnod``."""
