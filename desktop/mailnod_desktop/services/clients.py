"""Personas: who opens and clicks a mail in the simulator, in what order, how fast and from where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from mailnod import personas
from mailnod.personas import Client

__all__ = ["ACTIONS", "PERSONAS", "Action", "Move", "Persona", "choose_moves", "get_persona"]

#: What a persona is told to do: what it usually does, or one thing alone.
Action = Literal["usual", "open", "click", "click_all"]
ACTIONS: tuple[Action, ...] = ("usual", "open", "click", "click_all")

MINUTE_S = 60.0
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One thing that a program of a persona does."""

    client: Client
    action: Literal["open", "click", "click_all"]
    method: Literal["GET", "HEAD"] = "GET"
    #: Seconds since the move before it; for the first, since the mail was sent.
    after_s: float
    #: Seconds between two links of "click_all".
    pause_s: float = 0.3
    #: Addresses that are taken in turn, hit by hit; empty where the client has one.
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A person or a machine as the collector meets it."""

    #: Names it in saved scenarios; it never changes.
    key: str
    name: str
    #: What it is and what it does, in a sentence or two.
    about: str
    #: Where the facts come from.
    source: str
    moves: tuple[Move, ...]

    @property
    def machine(self) -> bool:
        """Whether no person acts."""
        return self.key not in _PEOPLE


_PEOPLE = frozenset(("phone", "desktop", "outlook", "gmail", "yahoo", "private_relay", "office"))

PERSONAS: tuple[Persona, ...] = (
    Persona(
        key="phone",
        name="Person on a phone",
        about="Opens the mail in Apple Mail without privacy protection, and taps a link, which Safari opens.",
        source="Apple Mail's user agent has no Version and no Safari; Safari sends Sec-Fetch headers.",
        moves=(
            Move(client=personas.IPHONE_MAIL, action="open", after_s=6 * MINUTE_S),
            Move(client=personas.IPHONE_BROWSER, action="click", after_s=41),
        ),
    ),
    Persona(
        key="desktop",
        name="Person on a desktop",
        about="Reads the mail in a web mailer with Chrome on a Mac, and clicks a link.",
        source="Chrome sends UA Client Hints and Fetch Metadata with every page.",
        moves=(
            Move(client=personas.DESKTOP, action="open", after_s=11 * MINUTE_S),
            Move(client=personas.DESKTOP, action="click", after_s=24),
        ),
    ),
    Persona(
        key="outlook",
        name="Outlook on Windows",
        about="Loads the images in Outlook; a click is announced by Office's discovery, and then Edge opens the page.",
        source="Microsoft Office Existence Discovery asks with HEAD before a person's browser does.",
        moves=(
            Move(client=personas.OUTLOOK, action="open", after_s=14 * MINUTE_S),
            Move(client=personas.OFFICE_DISCOVERY, action="click", method="HEAD", after_s=33),
            Move(client=personas.OFFICE_BROWSER, action="click", after_s=1.2),
        ),
    ),
    Persona(
        key="gmail",
        name="Gmail",
        about="Google's image proxy loads the pixel when the mail is read, and hides who reads; the click comes from "
        "the person's own browser.",
        source="scientiamobile.com, what-is-google-image-proxy; the proxy lives in Google's own networks.",
        moves=(
            Move(client=personas.GMAIL_PROXY, action="open", after_s=22 * MINUTE_S),
            Move(client=personas.ANDROID, action="click", after_s=68),
        ),
    ),
    Persona(
        key="gmail_prefetch",
        name="Gmail's prefetch",
        about="Loads the pixel at delivery because a Gmail window is open; nobody has read anything.",
        source="sparkpost.com/blog/gmail-prefetching-images: 1 to 6 % of Gmail's opens.",
        moves=(Move(client=personas.GMAIL_PREFETCH, action="open", after_s=2),),
    ),
    Persona(
        key="yahoo",
        name="Yahoo",
        about="Yahoo's image proxy loads the pixel when the mail is read; the click comes from the person's browser.",
        source="help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html, which the proxy names in its user agent.",
        moves=(
            Move(client=personas.YAHOO_PROXY, action="open", after_s=35 * MINUTE_S),
            Move(client=personas.DESKTOP, action="click", after_s=50),
        ),
    ),
    Persona(
        key="apple_mpp",
        name="Apple Mail Privacy Protection",
        about="Loads every image some time after delivery, whether or not anybody reads, through Apple's relay and "
        "with a bare user agent.",
        source="wordtothewise.com/2021/09/apple-mpp-reporting-and-geolocation; mask-api.icloud.com lists the exits.",
        moves=(Move(client=personas.APPLE_MPP, action="open", after_s=9),),
    ),
    Persona(
        key="private_relay",
        name="iCloud Private Relay",
        about="A person whose Safari goes through Apple's relay: the address is Apple's, the reader is real.",
        source="mask-api.icloud.com/egress-ip-ranges.csv; an exit of the relay alone makes no machine.",
        moves=(Move(client=personas.PRIVATE_RELAY, action="click", after_s=18 * MINUTE_S),),
    ),
    Persona(
        key="safe_links",
        name="Microsoft Safe Links",
        about="Follows all links at delivery from several of Microsoft's addresses, with the name of an old Chrome.",
        source="MicrosoftDocs issues 6451 and 7058; laravel-passwordless-login 79 logged the address and the agent.",
        moves=(
            Move(
                client=personas.SAFE_LINKS,
                action="click_all",
                after_s=3,
                pause_s=0.25,
                addresses=("20.72.100.79", "20.72.100.81", "20.72.100.79", "40.94.33.18"),
            ),
        ),
    ),
    Persona(
        key="gateway",
        name="Mail gateway",
        about="Probes a link with HEAD, and then loads the pixel and follows every link of the mail.",
        source="jdavidbakr/mail-tracker 200 and others: HEAD is a scanner's; the block is one of Barracuda's.",
        moves=(
            Move(client=personas.PROBE, action="click", method="HEAD", after_s=4),
            Move(client=personas.GATEWAY, action="open", after_s=1.5),
            Move(client=personas.GATEWAY, action="click_all", after_s=0.4, pause_s=0.2),
        ),
    ),
    Persona(
        key="slack",
        name="Slack's link preview",
        about="Fetches a link because somebody pasted it into a channel.",
        source="api.slack.com/robots names the agent.",
        moves=(Move(client=personas.SLACK, action="click", after_s=HOUR_S),),
    ),
    Persona(
        key="script",
        name="Script with curl",
        about="Fetches a link from a terminal or a cron job.",
        source="curl names itself, and sends no header that a browser sends.",
        moves=(Move(client=personas.CURL, action="click", after_s=2 * HOUR_S),),
    ),
    Persona(
        key="office",
        name="Person in an office",
        about="Reads the mail in Outlook behind an address that all colleagues share, and clicks in Edge.",
        source="Offices go out by one address: neither it nor its rush hour makes a machine.",
        moves=(
            Move(client=personas.OUTLOOK, action="open", after_s=25 * MINUTE_S),
            Move(client=personas.OFFICE_BROWSER, action="click", after_s=19),
        ),
    ),
)

_BY_KEY = {persona.key: persona for persona in PERSONAS}


def get_persona(key: str) -> Persona | None:
    """Return a persona by its key; None where there is none."""
    return _BY_KEY.get(key)


def choose_moves(persona: Persona, action: Action) -> tuple[Move, ...]:
    """Return what a persona does when it is told to.

    Where it never does such a thing, its last program does it: what would be made of that is worth knowing too.
    """
    if action == "usual":
        return persona.moves
    if action == "open":
        found = tuple(move for move in persona.moves if move.action == "open")
        return found or (replace(persona.moves[-1], action="open", method="GET"),)
    clicks = tuple(move for move in persona.moves if move.action != "open")
    if not clicks:
        return (replace(persona.moves[-1], action=action),)
    if action == "click":
        return tuple(replace(move, action="click") for move in clicks)
    return (*clicks[:-1], replace(clicks[-1], action="click_all"))
