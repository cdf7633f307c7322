"""The connection to the mail server: Flask-Mail's, which sends the tracked copy of each message."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from smtplib import SMTPRecipientsRefused
from typing import Any, cast

import blinker
import flask_mail

from mailnod import OVERRIDE_KEYWORDS, Clock, Draft, Envelope, Override, Prepared, make_override, read_layers
from mailnod.errors import describe_error
from mailnod.tracker import Tracker
from mailnod_flask.message import (
    Message,
    address_to,
    check_headers,
    copy_message,
    drop_own_headers,
    find_header,
    find_html,
    find_texts,
    list_recipients,
    read_attributes,
    replace_parts,
)
from mailnod_flask.wire import find_filling

__all__ = ["NOTHING", "Connection", "TrackedMail", "mail_tracked", "split_overrides"]

log = logging.getLogger("mailnod.flask")

#: Sent with each :class:`TrackedMail`; :func:`mailnod_flask.testing.tracked_outbox` listens.
mail_tracked = blinker.Signal()

NOTHING = Override()

#: How many messages are prepared, and their deliveries written, before the first of them leaves.
_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedMail:
    """A message as it was given, as it leaves, and why."""

    #: What the app sent.
    original: flask_mail.Message
    #: The copy that leaves in its place; where a message is split, each of its copies is a mail of its own.
    message: flask_mail.Message
    #: The decision with its reasons; None where the message has no HTML part, or no recipients.
    prepared: Prepared | None


class Connection(flask_mail.Connection):
    """A connection to the mail server that sends the tracked copy of each message.

    :param mail: the app's mail settings.
    :param tracker: the app's tracker; None where the app was set up with Flask-Mail alone, then nothing is tracked.
    :param keyword: what the call that opened the connection wishes for every message.
    """

    def __init__(self, mail: flask_mail._Mail, tracker: Tracker | None, *, keyword: Override = NOTHING) -> None:
        super().__init__(mail)  # type: ignore[arg-type]  # Flask-Mail names Mail here and passes its state.
        self._tracker = tracker
        self._keyword = keyword
        #: Mails whose fate is not written down yet.
        self._taken: list[TrackedMail] = []
        self._refused: list[TrackedMail] = []

    def send(
        self,
        message: flask_mail.Message,
        envelope_from: str | tuple[str, str] | None = None,
        **overrides: Any,
    ) -> None:
        """Verify and send a message, or its tracked copy; the message that was given is never changed.

        Where sending is suppressed (``TESTING``, ``MAIL_SUPPRESS_SEND``) the message passes through untouched.

        :param envelope_from: address for the MAIL FROM command.
        :param overrides: override keywords for this message; they go before everything but a denied consent.
        :raises TypeError: an override keyword is unknown or has the wrong type.
        :raises flask_mail.BadHeaderError: a line break or NUL in a header of ours.
        """
        keyword = make_override(**overrides) if overrides else self._keyword
        check_headers(message)
        self._send_batch([message], envelope_from, keyword)

    def send_all(
        self,
        messages: Iterable[flask_mail.Message],
        envelope_from: str | tuple[str, str] | None = None,
        **overrides: Any,
    ) -> None:
        """Send many messages: what their tracking writes to the disk is written for a hundred of them at once.

        Each leaves only after its own delivery is on disk, in the order given. What raises for one, as
        :meth:`send` does, ends the sending; those before it have left. Arguments are those of :meth:`send`.

        :param messages: they may be made one by one by a generator, which is asked for a hundred ahead; what it raises
            comes out after those before have left. A message whose class has a ``send`` of its own is sent by that.
        """
        keyword, before = make_override(**overrides) if overrides else self._keyword, self._keyword
        waiting, error = iter(messages), None
        # What a message's own send hands back to us is sent with the same wishes.
        self._keyword = keyword
        try:
            while error is None:
                batch, error = _take(waiting)
                if not batch:
                    break
                for sends_itself, group in groupby(batch, _sends_itself):
                    if not sends_itself:
                        self._send_batch(list(group), envelope_from, keyword)
                        continue
                    for message in group:
                        message.send(self)
        finally:
            self._keyword = before
        if error is not None:
            raise error

    def send_message(self, *args: Any, **kwargs: Any) -> None:
        """Send a message made from these arguments; override keywords may stand among them."""
        overrides = split_overrides(kwargs)
        self.send(Message(*args, **kwargs), **overrides)

    def _send_batch(
        self,
        messages: Sequence[flask_mail.Message],
        envelope_from: str | tuple[str, str] | None,
        keyword: Override,
    ) -> None:
        if self.host is None and not mail_tracked.receivers:
            for message in messages:
                super().send(message, envelope_from)
            return
        groups = _track(self._tracker, messages, keyword)
        waiting = list(zip(messages, groups, strict=True))
        try:
            for mail in (mail for copies in groups for mail in copies):
                mail_tracked.send(self, mail=mail)
            while waiting:
                message, copies = waiting.pop(0)
                if self.host is None:
                    super().send(message, envelope_from)
                    self._taken += copies
                else:
                    self._send_copies(copies, envelope_from)
        finally:
            self._refused += [mail for _, copies in waiting for mail in copies]
            self._note_states()

    def _send_copies(self, copies: Sequence[TrackedMail], envelope_from: str | tuple[str, str] | None) -> None:
        """Send every copy; as with one body, refused recipients are an error only where all of them are refused."""
        refusals: list[SMTPRecipientsRefused] = []
        waiting = list(copies)
        try:
            while waiting:
                try:
                    self._send_copy(waiting.pop(0), envelope_from)
                except SMTPRecipientsRefused as error:
                    refusals.append(error)
        finally:
            self._refused += waiting
        if len(refusals) == len(copies):
            raise refusals[-1]

    def _send_copy(self, mail: TrackedMail, envelope_from: str | tuple[str, str] | None) -> None:
        # Signal receivers and reconnecting come after the conversation; if they raise, the mail has left all the same.
        host, watched = self.host, _WatchedHost(self.host, mail.message)
        self.host = cast("Any", watched)
        self._fill_wire(mail)
        try:
            super().send(mail.message, envelope_from)
        finally:
            watched.restore()
            if cast("Any", self.host) is watched:
                self.host = host
            (self._taken if watched.taken else self._refused).append(mail)

    def _fill_wire(self, mail: TrackedMail) -> None:
        """Let a copy that comes again make its bytes in less time, for as long as it is sent."""
        if self._tracker is None or mail.prepared is None:
            return
        try:
            filling = find_filling(self._tracker.wire_plans, mail.message, mail.prepared)
        except Exception as error:
            log.error("a message is encoded as ever: %s", describe_error(error))
            return
        if filling is not None:
            vars(mail.message)["as_bytes"] = filling

    def _note_states(self) -> None:
        """Write down what became of the mails since the last time."""
        taken, self._taken = self._taken, []
        refused, self._refused = self._refused, []
        if self._tracker is not None:
            self._tracker.accepted(*(mail.prepared for mail in taken if mail.prepared is not None))
            self._tracker.failed(*(mail.prepared for mail in refused if mail.prepared is not None))


class _WatchedHost:
    """Stands in for the SMTP connection during one send and notes whether the server took the mail."""

    def __init__(self, host: Any, message: flask_mail.Message) -> None:
        self._host = host
        self._message = message
        self.taken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def sendmail(self, *args: Any, **kwargs: Any) -> Any:
        # Its bytes are made, and who sees the message from here on sees one of Flask-Mail's.
        self.restore()
        refused = self._host.sendmail(*args, **kwargs)
        self.taken = True
        return refused

    def restore(self) -> None:
        vars(self._message).pop("as_bytes", None)


def split_overrides(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take the override keywords out of the arguments of a message, and return them."""
    return {name: kwargs.pop(name) for name in OVERRIDE_KEYWORDS if name in kwargs}


def _take(messages: Iterator[flask_mail.Message]) -> tuple[list[flask_mail.Message], Exception | None]:
    """Return the next messages, and what was raised when another was made or looked at."""
    batch: list[flask_mail.Message] = []
    try:
        for message in islice(messages, _BATCH):
            check_headers(message)
            batch.append(message)
    except Exception as error:
        return batch, error
    return batch, None


def _sends_itself(message: flask_mail.Message) -> bool:
    return getattr(type(message), "send", flask_mail.Message.send) is not flask_mail.Message.send


def _track(
    tracker: Tracker | None, messages: Sequence[flask_mail.Message], keyword: Override
) -> list[list[TrackedMail]]:
    """Return the copies that leave in the place of each message; one, unless it is split."""
    outgoing = [drop_own_headers(message) for message in messages]
    groups = [
        [TrackedMail(original=message, message=fresh, prepared=None)]
        for message, fresh in zip(messages, outgoing, strict=True)
    ]
    if tracker is None:
        return groups
    drafts = {}
    for place, message in enumerate(messages):
        try:
            draft = _draft(message, tracker.clock)
            if draft is not None:
                drafts[place] = draft, [*_read_layers(message), ("call keyword", keyword)]
        except Exception as error:
            _log_unread(error)
    for place, copies in zip(drafts, tracker.prepare_batch(list(drafts.values()), split=True), strict=True):
        try:
            groups[place] = [
                TrackedMail(
                    original=messages[place],
                    message=_make_copy(outgoing[place], prepared, split=len(copies) > 1),
                    prepared=prepared,
                )
                for prepared in copies
            ]
        except Exception as error:
            _log_unread(error)
    return groups


def _log_unread(error: Exception) -> None:
    # The tracker never raises; what can is a message with fields of types that Flask-Mail may still understand.
    log.error("a message could not be read, it is sent untracked: %s", describe_error(error))


def _draft(message: flask_mail.Message, clock: Clock) -> Draft | None:
    """Return a message as the tracker reads it; None where there is nothing to track."""
    html = find_html(message)
    if not html or not message.send_to:
        return None
    envelope = Envelope(
        message_id=message.msgId,
        recipients=list_recipients(message),
        subject=flask_mail.force_text(message.subject or ""),
        sent_at=clock.now(),
    )
    return Draft(
        envelope=envelope,
        parts=tuple(html.values()),
        texts=find_texts(message),
        list_unsubscribe=find_header(message, "List-Unsubscribe"),
    )


def _make_copy(outgoing: flask_mail.Message, prepared: Prepared, *, split: bool) -> flask_mail.Message:
    fresh = copy_message(outgoing)
    if prepared.changed:
        changed_texts = [new for old, new in zip(find_texts(outgoing), prepared.texts, strict=True) if new != old]
        replace_parts(fresh, dict(zip(find_html(outgoing), prepared.parts, strict=True)), changed_texts)
    if split:
        address_to(fresh, prepared.recipients)
    return fresh


def _read_layers(message: flask_mail.Message) -> list[tuple[str, Override]]:
    headers = ((str(name), str(value)) for name, value in (message.extra_headers or {}).items())
    return read_layers(headers, read_attributes(message))
