"""The example mails that the inspector shows who has none at hand: each shows another thing that tracking does."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from itertools import count

from mailnod_desktop.services import demo_html as rows
from mailnod_desktop.services.demo_pictures import draw_harbour, draw_swatch
from mailnod_desktop.services.model import Mail, Origin

__all__ = [
    "SITE",
    "make_catalogue_html",
    "make_example_mails",
    "make_newsletter_html",
    "make_receipt_html",
    "make_tides_html",
]

#: Where the links of the examples lead.
SITE = "https://tidewater.example"

_THINGS = (
    "Storm lantern",
    "Rope mat",
    "Oilskin hat",
    "Tide clock",
    "Enamel mug",
    "Wool blanket",
    "Brass bell",
    "Net bag",
)
_WORDS = (
    "made for the wet half of the year",
    "mended free for as long as you have it",
    "in the colour that the harbour has at six",
    "by the two workshops behind the ferry",
)


def make_newsletter_html(*, reader: str, picture: str = "cid:harbour") -> str:
    """Return the weekly newsletter; its links bear campaign parameters, and one leaves the list."""
    leave = f"{SITE}/unsubscribe?reader={reader}"
    utm = "utm_source=weekly&utm_medium=email"
    stories = (
        (
            "A ferry that runs on its own wake",
            "The nine o'clock boat burns a third less since spring.",
            "wake-ferry",
            0.55,
        ),
        ("Soup for a north wind", "Leeks, smoked haddock, and patience.", "soup", 0.1),
        ("All tides of the week", "High water at 06:12 on Monday, and every day after.", "tides", 0.4),
    )
    return rows.page(
        "Tidewater Weekly",
        "Forty lamps relit, a ferry that runs on its own wake, and soup for a north wind.",
        [
            rows.picture(picture, "A low sun over the sea, and a pier with lamps"),
            rows.prose(
                "The lamps along the north pier are lit again",
                "For eleven winters the pier ended in the dark. Since Tuesday forty lamps show the way out, each one "
                "mended by the people who walk under it.",
                f'There is <a href="{SITE}/map?{utm}#north-pier" style="color:#0f5c6e">a map of all forty</a>, too.',
                kicker="Tidewater Weekly",
            ),
            rows.button("Read the story", f"{SITE}/articles/north-pier?{utm}&from=button"),
            *(
                rows.article(heading, text, f"{SITE}/articles/{slug}?{utm}", _embed(hue), heading)
                for heading, text, slug, hue in stories
            ),
            rows.footer(
                ("Write to us", "mailto:editors@example.com"),
                ("Preferences", f"{SITE}/preferences?reader={reader}"),
                ("Unsubscribe", leave),
            ),
        ],
    )


def make_receipt_html(number: int) -> str:
    """Return a receipt."""
    return rows.page(
        f"Receipt for order {number}",
        f"Thank you. Order {number} leaves the harbour today.",
        [
            rows.prose(
                "Thank you for your order",
                f"Order <b>{number}</b> leaves the harbour today and is with you in two to four days.",
                kicker="Receipt",
            ),
            rows.total_table((("Storm lantern", "48.00"), ("Rope mat, small", "22.50"), ("Delivery", "4.90")), "75.40"),
            rows.button("Follow the parcel", f"{SITE}/orders/{number}/parcel"),
            rows.footer(("The invoice as PDF", f"{SITE}/orders/{number}/invoice.pdf"), ("Help", f"{SITE}/help")),
        ],
    )


def make_catalogue_html(things: int = 120) -> str:
    """Return a catalogue that Gmail would cut off long before its end."""
    pictures = [_embed(number / 6) for number in range(6)]
    return rows.page(
        "The dark season catalogue",
        f"{things} things for the dark season, all of them in stock.",
        [
            rows.prose(
                f"{things} things for the dark season",
                "Everything below is in stock, and leaves within a day.",
                kicker="Catalogue",
            ),
            *(
                rows.card(
                    f"{_THINGS[number % len(_THINGS)]} no. {number + 1}",
                    _WORDS[number % len(_WORDS)],
                    f"{12 + number * 7 % 80}.00",
                    f"{SITE}/things/{number + 1}?utm_campaign=dark-season",
                    # Only the first few carry a picture of their own; the rest are on the site.
                    pictures[number] if number < len(pictures) else f"{SITE}/pictures/{number + 1}.png",
                )
                for number in range(things)
            ),
            rows.footer(("Unsubscribe", f"{SITE}/unsubscribe?list=catalogue")),
        ],
    )


def make_tides_html(day: datetime) -> str:
    """Return the short mail of each morning."""
    return rows.page(
        "Tides of the day",
        f"High water on {day:%A}, and the wind.",
        [
            rows.prose(f"Tides of {day:%A}", "High water at 06:12 and 18:37, low water at 12:21. Wind from the north."),
            rows.button("All tides of the week", f"{SITE}/tides?day={day:%Y-%m-%d}"),
            rows.footer(("Unsubscribe", f"{SITE}/unsubscribe?list=tides")),
        ],
    )


def make_example_mails(now: datetime, *, tracked_html: str) -> list[Mail]:
    """Return the example mails, newest first.

    :param now: they were sent within the last hour before it.
    :param tracked_html: a newsletter that a tracker has rewritten already.
    """
    leave = [
        ("List-Unsubscribe", f"<{SITE}/unsubscribe?reader=one>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ]
    times = (now - timedelta(minutes=4 + 7 * number) for number in count())
    return [
        _make(
            next(times),
            "newsletter",
            "The lamps along the north pier are lit again",
            ["reader-001@example.com"],
            make_newsletter_html(reader="one"),
            "Read it at " + SITE,
            headers=leave,
            harbour=True,
            origin="smtp",
        ),
        _make(
            next(times),
            "receipt",
            "Receipt for order 2041",
            ["customer@example.com"],
            make_receipt_html(2041),
            f"Thank you. Order 2041: {SITE}/orders/2041",
        ),
        _make(
            next(times),
            "reset",
            "Reset your password",
            ["customer@example.com"],
            _make_reset_html(),
            "A link that works once.",
            headers=[("X-Mailnod-Track-Opens", "false"), ("X-Mailnod-Track-Clicks", "false")],
        ),
        _make(
            next(times),
            "catalogue",
            "120 things for the dark season",
            ["list@example.com"],
            make_catalogue_html(),
            f"The catalogue is at {SITE}/things",
            headers=leave,
        ),
        _make(
            next(times),
            "welcome",
            "Welcome aboard",
            ["reader-002@example.com", "reader-003@example.com"],
            _make_welcome_html(),
            "Welcome aboard.",
            origin="smtp",
            bcc=("archive@example.com",),
        ),
        _make(
            next(times),
            "sent",
            "The lamps along the north pier are lit again",
            ["reader-004@example.com"],
            tracked_html,
            "Read it at " + SITE,
            headers=leave,
            harbour=True,
        ),
        _make(
            next(times),
            "export",
            "Your export is ready",
            ["desk@example.com"],
            None,
            f"The export that you asked for is ready:\n\n    {SITE}/exports/58\n\nIt is kept for a week.\n",
        ),
    ]


def _make(
    at: datetime,
    name: str,
    subject: str,
    recipients: list[str],
    html: str | None,
    text: str,
    *,
    headers: list[tuple[str, str]] | None = None,
    harbour: bool = False,
    origin: Origin = "file",
    bcc: tuple[str, ...] = (),
) -> Mail:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Tidewater Weekly <weekly@example.com>"
    message["To"] = ", ".join(recipients)
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{name}.{at:%Y%m%d%H%M}@tidewater.example>"
    for field, value in headers or ():
        message[field] = value
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    if html is not None and harbour:
        related = message.get_payload(1)
        assert isinstance(related, EmailMessage)  # noqa: S101  # The alternative that was just added.
        related.add_related(draw_harbour(), "image", "png", cid="<harbour>", filename="harbour.png")
    caught = origin == "smtp"
    return Mail(
        key=f"demo:{name}",
        name=f"{at.astimezone():%H:%M:%S}" if caught else f"{name}.eml",
        origin=origin,
        data=message.as_bytes(),
        received_at=at,
        envelope_sender="bounces@example.com" if caught else "",
        envelope_recipients=(*recipients, *bcc) if caught else (),
    )


def _make_reset_html() -> str:
    return rows.page(
        "Reset your password",
        "The link works once, for an hour.",
        [
            rows.prose(
                "Reset your password",
                "Somebody, probably you, asked for a new password. The link works once, for an hour. If it was not "
                "you, do nothing.",
            ),
            rows.button("Choose a new password", f"{SITE}/reset/6f1ed002ab5595859014ebf0951522d9"),
        ],
    )


def _make_welcome_html() -> str:
    """Return a mail with the faults that its findings are to show."""
    return rows.page(
        "Welcome aboard",
        "Three things to do first.",
        [
            rows.prose(
                "Welcome aboard",
                'Three things to do first: <a href="/profile">fill in your profile</a>, '
                f'<a href="{SITE}/boats">choose a boat</a>, and <a href="#top">look around</a>.',
                f'<img src="{_embed(0.7)}" width="96" height="72"> <a href="{SITE}/boats"><b>Boats</b></a> '
                f'<a href="http://{SITE.partition("//")[2]}/safety?lang=en&from=welcome">safety on the water</a>',
            ),
            rows.button("Begin", f"{SITE}/begin"),
        ],
    )


def _embed(hue: float) -> str:
    return "data:image/png;base64," + b64encode(draw_swatch(hue)).decode("ascii")
