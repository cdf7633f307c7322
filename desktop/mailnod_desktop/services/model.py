"""The types that the inspector's parts hand to each other; frozen, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mailnod.html.plan import Plan
from mailnod.model import ConsentState, Decision, Link

__all__ = [
    "CATCHER_PORT",
    "CLIP_BYTES",
    "Body",
    "Finding",
    "Form",
    "Inspection",
    "LinkRow",
    "Mail",
    "MailSummary",
    "MimeNode",
    "Origin",
    "Parsed",
    "Severity",
    "Wishes",
]

#: Where apps look for a mail server that only catches, by convention.
CATCHER_PORT = 2525

#: Gmail cuts a body off behind so many bytes (mautic/mautic#13522).
CLIP_BYTES = 102 * 1024

#: Where a mail came from: a file, one of a mailbox file, caught over SMTP, or recorded in a store.
Origin = Literal["file", "mailbox", "smtp", "store"]

#: Whether the data is an RFC 5322 message or bare HTML.
Form = Literal["message", "html"]

#: How much a finding matters: "error" breaks something for a reader, "warning" probably does, "notice" may.
Severity = Literal["error", "warning", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as it came."""

    #: Names it within one run of the program, and nowhere else.
    key: str
    #: What a person calls it: the file's name, or the time at which it was caught.
    name: str
    origin: Origin
    form: Form = "message"
    #: The bytes, unchanged. Empty where a store knows the delivery and not its body.
    data: bytes = field(repr=False)
    #: When it was caught, sent or last changed, in UTC; None where nobody knows.
    received_at: datetime | None = None
    #: What the SMTP conversation said (RFC 5321), Bcc included; empty for files.
    envelope_sender: str = ""
    envelope_recipients: tuple[str, ...] = ()
    #: What was decided when it was sent, as a store recorded it; None where it comes from elsewhere.
    recorded: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSummary:
    """What a list shows of a mail."""

    subject: str
    sender: str
    #: Bare addresses of To, Cc, Bcc and the SMTP envelope, each once, in that order.
    recipients: tuple[str, ...]
    #: The ``Date`` header, else when it was received, in UTC; None where neither is known.
    sent_at: datetime | None
    #: Of the whole message.
    size_bytes: int
    #: Of the largest HTML body, decoded from its transfer encoding; 0 where there is none.
    html_bytes: int
    #: Live links of all HTML bodies; None where they were not looked at yet.
    links: int | None = None
    #: Whether it holds a pixel or links of a tracker of ours already; None where nobody looked yet.
    tracked: bool | None = None
    attachments: int = 0
    #: Why it cannot be shown or rewritten, in words; "" where it can.
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MimeNode:
    """One part of a message's MIME tree (RFC 2045)."""

    #: Position in the tree: "1", "1.2".
    path: str
    depth: int
    content_type: str
    #: "html body", "text body", "attachment", "inline", "container", "other".
    role: str
    charset: str = ""
    transfer_encoding: str = ""
    filename: str = ""
    content_id: str = ""
    #: Decoded size; for a container that of everything in it.
    size_bytes: int = 0
    #: The decoded bytes; empty for containers.
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A mail that was taken apart."""

    mail: Mail
    summary: MailSummary
    #: Name and value of each header as a person reads it, in order.
    headers: tuple[tuple[str, str], ...]
    nodes: tuple[MimeNode, ...]
    #: The HTML bodies as they came, in order, decoded.
    htmls: tuple[str, ...]
    #: The plain-text body, or "".
    text: str
    #: Type and bytes of each part that HTML may refer to as ``cid:`` (RFC 2392), by its Content-ID without brackets.
    inline: Mapping[str, tuple[str, bytes]]
    list_unsubscribe: str | None = None
    #: The base URL of the tracker of ours that had rewritten it before it came; None where none had.
    tracked_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a mail is to be rewritten: what the window's switches say."""

    #: Name of a route; None takes the default route.
    route: str | None = None
    #: None inherits what the route says.
    track_opens: bool | None = None
    track_clicks: bool | None = None
    #: What the recipients are taken to have said; None asks the opened store, and where there is none, nobody.
    consent_opens: ConsentState | None = ConsentState.GRANTED
    consent_clicks: ConsentState | None = ConsentState.GRANTED
    #: Whose copy is shown; None is the copy that all recipients share.
    recipient: str | None = None
    #: Links that are left alone: number of the body and index of the link.
    refused: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One HTML body, before and after."""

    original: str
    rewritten: str
    #: None where the mail leaves as it came.
    plan: Plan | None
    original_bytes: int
    rewritten_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """One link, the pixel or the hidden link of a body, and what becomes of it."""

    #: Number of the HTML body, from 0; plain texts are counted on from there.
    body: int
    #: "text" is a link in plain text, where a route tracks those.
    kind: Literal["click", "pixel", "honeypot", "text"]
    #: None for the pixel and the hidden link.
    link: Link | None
    tracked: bool
    #: Why, in words.
    reason: str
    #: Where it leads; "" for the pixel.
    url: str
    #: What leaves instead; "" where it stays as it is.
    tracked_url: str
    #: Characters from the beginning of the original body.
    offset: int
    #: Whether a person may switch it here: only links that every other rule lets through.
    switchable: bool
    #: What is to be read where the link stands, shortened; "" where nothing is.
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about a mail that somebody should look at."""

    #: Name of the rule, such as "relative-link"; ``--fail-on`` takes it.
    rule: str
    severity: Severity
    #: What is the matter, in a sentence.
    message: str
    #: What to do about it, in a sentence.
    advice: str
    #: Number of the HTML body, from 0, and place in it in characters; None where it is about the whole mail.
    body: int | None = None
    offset: int | None = None
    #: What stands there, shortened.
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What tracking makes of a mail."""

    parsed: Parsed
    wishes: Wishes
    decision: Decision
    bodies: tuple[Body, ...]
    links: tuple[LinkRow, ...]
    findings: tuple[Finding, ...]
    #: The whole message as it would leave; the original bytes where nothing is tracked, but for headers of ours.
    data: bytes = field(repr=False)
    #: What the bodies were filled with; None where nothing is tracked.
    token: str | None
    #: What was rewritten for whom: each recipient with the token that their own copy would have; "" where nobody knows.
    tokens: Mapping[str, str] = field(default_factory=dict)
    #: Why the mail leaves as it came although tracking was wished, in words; "" where nothing failed.
    error: str = ""
    #: How long the rewriting took.
    took_ms: float = 0.0
    #: Whether the mail had been rewritten before it came, and is shown as it was sent: "original" is then what it was
    #: made from, as far as that can be known.
    as_sent: bool = False
    #: What cannot be known of a mail that had been rewritten before it came, in sentences.
    unknown: tuple[str, ...] = ()
    #: The plain-text body as it would leave.
    text: str = ""
