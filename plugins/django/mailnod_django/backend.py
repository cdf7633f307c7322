"""The backend: it hands the tracked copy of each message to the backend that sends."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import django
from django.core import mail as django_mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.utils.module_loading import import_string

from mailnod import Clock, ConfigurationError, Draft, Envelope, Override, Prepared, Tracker, make_override, read_layers
from mailnod.errors import describe_error
from mailnod.settings import refuse_unknown
from mailnod_django.apps import get_app
from mailnod_django.conf import DEFAULT_INNER
from mailnod_django.esp import is_anymail, leave_tracking_to_esp, leave_tracking_to_us
from mailnod_django.message import (
    address_to,
    check_headers,
    copy_message,
    drop_wishes,
    find_header,
    find_html,
    find_message_id,
    find_texts,
    get_call_keyword,
    is_for_staff,
    list_recipients,
    pin_headers,
    read_attributes,
    replace_parts,
    return_attributes,
)
from mailnod_django.signals import mail_tracked
from mailnod_django.watch import Watch
from mailnod_django.wire import find_stand_in

__all__ = ["EmailBackend", "TrackedMail"]

log = logging.getLogger("mailnod.django")

#: How many messages are prepared, and their deliveries written, before the first of them leaves.
_BATCH = 100
_T = TypeVar("_T")

OFF = Override(track_opens=False, track_clicks=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedMail:
    """A message as it was given, as it leaves, and why."""

    #: What the app sent.
    original: EmailMessage
    #: The copy that leaves in its place; where a message is split, each of its copies is a mail of its own.
    message: EmailMessage
    #: The decision with its reasons; None where the message has no HTML part, or no recipients.
    prepared: Prepared | None


class EmailBackend(BaseEmailBackend):
    """Tracks messages and has another backend send them.

    Up to Django 6.0 ``EMAIL_BACKEND`` names this class, and ``settings.MAILNOD["BACKEND"]`` the one that sends. From
    Django 6.1 on a mailer in ``MAILERS`` names this class, and its option ``mailer`` the mailer that sends. The other
    backend is called as if Mailnod were not there: its connections, silent failures and return value are its own.

    :param fail_silently: handed on.
    :param alias: the name of our mailer; None without ``MAILERS``.
    :param mailer: the name of the mailer that sends.
    :param options: handed on where there is no ``alias``.
    :raises django.core.mail.InvalidMailer: an option is unknown, or ``mailer`` names no mailer that sends.
    """

    def __init__(
        self,
        fail_silently: bool = False,
        *,
        alias: str | None = None,
        mailer: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.alias = alias
        self.fail_silently = fail_silently
        self._tracker: Tracker | None = None
        self._esp_tracking = "ours"
        inner_path = DEFAULT_INNER
        try:
            app = get_app()
        except LookupError:
            log.error("mail goes out untracked: 'mailnod_django' is not in INSTALLED_APPS")
            inner_path = _read_inner_path()
        else:
            self._tracker = app.tracker
            self._esp_tracking = app.config.esp_tracking
            inner_path = app.config.backend
        self.inner = self._open_inner(inner_path, mailer=mailer, fail_silently=fail_silently, **options)
        self._watch = Watch.on(self.inner)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "inner" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.inner, name)

    def open(self) -> Any:
        """Open the connection of the backend that sends."""
        return self.inner.open()

    def close(self) -> None:
        """Close the connection of the backend that sends."""
        self.inner.close()

    def send_messages(self, email_messages: Iterable[EmailMessage], **overrides: Any) -> Any:
        """Send messages, each as its tracked copy; those that were given are never changed but for what sending sets.

        :param email_messages: an iterator, such as a generator, is asked for a hundred ahead where Django's SMTP
            backend sends; what it raises comes out after those before have left.
        :param overrides: override keywords for all of them; they go before everything but a denied consent.
        :returns: what the backend that sends returns; a message that is split counts once.
        :raises TypeError: an override keyword is unknown or has the wrong type.
        :raises BadHeaderError: a line break or NUL in a header of ours; nothing was sent, unless an iterator makes the
            messages one by one.
        """
        keyword, by_smtp = make_override(**overrides), isinstance(self.inner, SMTPBackend)
        if by_smtp and isinstance(email_messages, Iterator):
            return self._send_batches(_draw(email_messages), keyword)
        messages = list(email_messages or ())
        for message in messages:
            _check(message)
        if by_smtp and len(messages) > _BATCH:
            return self._send_batches(_cut(messages), keyword)
        return self._send_batch(messages, keyword)

    def _send_batches(self, batches: Iterable[Sequence[EmailMessage]], keyword: Override) -> int:
        """Send one batch after the other over one connection, and return how many messages were sent."""
        opened = self.inner.open()
        if opened is None:
            # It has failed silently, and nothing can be sent.
            return 0
        try:
            return sum(self._send_batch(batch, keyword) or 0 for batch in batches)
        finally:
            if opened:
                self.inner.close()

    def _send_batch(self, messages: Sequence[EmailMessage], keyword: Override) -> Any:
        groups = self._track(messages, keyword)
        mails = [mail for group in groups for mail in group]
        for mail in mails:
            mail_tracked.send_robust(type(self), mail=mail)
        before = [dict(getattr(mail.message, "__dict__", {})) for mail in mails]
        if self._watch is not None:
            self._watch.expect([mail.message for mail in group] for group in groups)
            self._watch.find_stand_in = partial(self._find_stand_in, {id(mail.message): mail for mail in mails})
        result, raised = None, True
        try:
            result = self.inner.send_messages([mail.message for mail in mails])
            raised = False
        finally:
            left = self._settle(mails, result, raised=raised)
            for mail, attributes in zip(mails, before, strict=True):
                if mail.message is not mail.original:
                    return_attributes(mail.original, mail.message, attributes)
        if len(mails) == len(groups) or not isinstance(result, int):
            return result
        return sum(any(left[id(mail.message)] for mail in group) for group in groups)

    def _open_inner(self, path: str, *, mailer: str | None, **options: Any) -> Any:
        return _open_backend(path, **options) if self.alias is None else _open_mailer(self.alias, mailer, **options)

    def _track(self, messages: Sequence[EmailMessage], keyword: Override) -> list[list[TrackedMail]]:
        """Return the copies that leave in the place of each message; one, unless it is split."""
        groups = [[TrackedMail(original=message, message=_copy(message), prepared=None)] for message in messages]
        if self._tracker is None:
            return groups
        # What could not be copied is something else than a message of Django's.
        copied = {
            place: group[0].message for place, group in enumerate(groups) if group[0].message is not messages[place]
        }
        by_esp = self._esp_tracking == "esp" and is_anymail(self.inner)
        for places in _cut(list(copied)):
            for place, prepared in self._prepare(self._tracker, {place: messages[place] for place in places}, keyword):
                try:
                    made = _make_copies(copied[place], prepared, rewrite=not by_esp)
                except Exception as error:
                    _log_unread(error)
                    continue
                groups[place] = [
                    TrackedMail(original=messages[place], message=fresh, prepared=one)
                    for one, fresh in zip(prepared, made, strict=True)
                ]
        for place in copied:
            for mail in groups[place]:
                if by_esp:
                    leave_tracking_to_esp(self._tracker, self.inner, mail.message, mail.prepared)
                elif is_anymail(self.inner):
                    leave_tracking_to_us(self.inner, mail.message)
                else:
                    drop_wishes(mail.message)
        return groups

    def _prepare(
        self, tracker: Tracker, messages: Mapping[int, EmailMessage], keyword: Override
    ) -> Iterable[tuple[int, Sequence[Prepared]]]:
        """Return what leaves in the place of each message that can be tracked, with one transaction for all."""
        drafts = {}
        for place, message in messages.items():
            try:
                draft = _draft(message, tracker.clock)
                if draft is not None:
                    drafts[place] = draft, _read_layers(message, keyword)
            except Exception as error:
                _log_unread(error)
        prepared = tracker.prepare_batch(list(drafts.values()), split=_can_split(self.inner))
        return zip(drafts, prepared, strict=True)

    def _find_stand_in(self, mails: Mapping[int, TrackedMail], message: EmailMessage) -> EmailMessage:
        """Return what is sent in a copy's place because its bytes take less time to make, or the copy itself."""
        mail = mails.get(id(message))
        if self._tracker is None or mail is None:
            return message
        try:
            return find_stand_in(self._tracker.wire_plans, self.inner, message, mail.prepared) or message
        except Exception as error:
            log.error("a message is encoded as ever: %s", describe_error(error))
            return message

    def _settle(self, mails: Sequence[TrackedMail], result: Any, *, raised: bool) -> dict[int, bool | None]:
        """Note how each mail went, and return that by the ids of the copies."""
        taken = {} if self._watch is None else self._watch.take(mail.message for mail in mails)
        otherwise = self._guess(result, raised=raised, watched=bool(taken), count=len(mails))
        fates = {id(mail.message): taken.get(id(mail.message), otherwise) for mail in mails}
        if self._tracker is not None:
            known = [(mail.prepared, fates[id(mail.message)]) for mail in mails]
            self._tracker.accepted(*(one for one, left in known if one is not None and left is True))
            self._tracker.failed(*(one for one, left in known if one is not None and left is False))
        return fates

    def _guess(self, result: Any, *, raised: bool, watched: bool, count: int) -> bool | None:
        """Return whether messages left of which nothing was seen; None where nobody can tell, and they stay prepared.

        Backends return different things: counts, nothing, the tasks of a queue, 0 for what was queued. A backend that
        is not to fail silently, and raised nothing, took everything.
        """
        if watched:
            return False
        if raised:
            return False if self._watch is not None or count == 1 else None
        if not vars(self.inner).get("fail_silently", self.fail_silently) or result == count:
            return True
        return False if self._watch is not None else None


def _check(message: EmailMessage) -> None:
    try:
        check_headers(message)
    except AttributeError:
        # What has no headers cannot have a wrong one.
        return


def _cut(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def _draw(messages: Iterator[EmailMessage]) -> Iterator[Sequence[EmailMessage]]:
    """Yield batches; what is raised while a message is made or looked at comes out after those before it."""
    raised: Exception | None = None
    while raised is None:
        batch: list[EmailMessage] = []
        try:
            for message in islice(messages, _BATCH):
                _check(message)
                batch.append(message)
        except Exception as error:
            raised = error
        if not batch:
            break
        yield batch
    if raised is not None:
        raise raised


def _copy(message: EmailMessage) -> EmailMessage:
    try:
        return copy_message(message)
    except Exception as error:
        # Something else than a message of Django's, which the backend that sends may still understand.
        log.error("a message could not be copied, it is sent untracked: %s", describe_error(error))
        return message


def _log_unread(error: Exception) -> None:
    log.error("a message could not be read, it is sent untracked: %s", describe_error(error))


def _draft(message: EmailMessage, clock: Clock) -> Draft | None:
    """Return a message as the tracker reads it; None where it has no HTML part or no recipients."""
    parts, recipients = find_html(message), list_recipients(message)
    if not parts or not recipients:
        return None
    envelope = Envelope(
        message_id=find_message_id(message),
        recipients=recipients,
        subject=str(message.subject or ""),
        sent_at=clock.now(),
    )
    return Draft(
        envelope=envelope,
        parts=tuple(parts),
        texts=tuple(find_texts(message)),
        list_unsubscribe=find_header(message, "List-Unsubscribe"),
    )


def _make_copies(outgoing: EmailMessage, prepared: Sequence[Prepared], *, rewrite: bool) -> list[EmailMessage]:
    split = len(prepared) > 1
    tracked = next((one.delivery for one in prepared if one.delivery is not None), None)
    if tracked is not None:
        # What is not tracked leaves as it came; all copies of one message have the same headers.
        pin_headers(outgoing, tracked.envelope.message_id, date=split)
    copies = []
    for one in prepared:
        fresh = copy_message(outgoing)
        if one.changed and rewrite:
            replace_parts(fresh, one.parts, one.texts)
        if split:
            address_to(fresh, one.recipients)
        copies.append(fresh)
    return copies


def _can_split(backend: object) -> bool:
    """Return whether a backend asks each message for its recipients; others send every copy to everybody."""
    own = type(backend).__module__.startswith("django.core.mail.backends.")
    return own or isinstance(backend, SMTPBackend)


def _read_layers(message: EmailMessage, keyword: Override) -> list[tuple[str, Override]]:
    layers = []
    if is_for_staff(message):
        # Error reports go out with whole pages in them, and nobody who sends one can say how it is tracked.
        layers.append(("mail to ADMINS or MANAGERS", OFF))
    headers = ((str(name), str(value)) for name, value in (message.extra_headers or {}).items())
    layers += read_layers(headers, read_attributes(message))
    layers.append(("call keyword", keyword))
    own = get_call_keyword(message)
    if own is not None:
        layers.append(("call keyword", own))
    return layers


def _read_inner_path() -> str:
    from mailnod_django.conf import read_config

    try:
        return read_config().backend
    except ConfigurationError as error:
        log.error("settings.MAILNOD cannot be read: %s", error)
        return DEFAULT_INNER


def _open_backend(path: str, **options: Any) -> Any:
    """Make the backend that sends, as ``EMAIL_BACKEND`` would."""
    backend = import_string(path)
    if django.VERSION >= (6, 1) and _takes_alias(backend):
        # Without it Django's own backends warn that they are not made by MAILERS, which the app has not got.
        options["alias"] = None
    return backend(**options)


def _takes_alias(backend: Any) -> bool:
    parameters = inspect.signature(backend).parameters.values()
    return any(parameter.name == "alias" or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _open_mailer(alias: str, mailer: str | None, *, fail_silently: bool, **options: Any) -> Any:
    """Make the backend that sends, as ``MAILERS`` would."""
    mailers: Any = django_mail.mailers
    invalid: Any = django_mail.InvalidMailer
    # Deprecated arguments of send_mail() and the like come in this way; they are for the backend that sends.
    passed = {name: options.pop(name) for name in options.pop("_ignore_unknown_kwargs", None) or () if name in options}
    for name in options:
        raise invalid(str(refuse_unknown("option", name, ["mailer"])), alias=alias)
    if mailer is None:
        raise invalid("OPTIONS must define 'mailer', the name of the mailer that sends.", alias=alias)
    if mailer not in mailers:
        raise invalid(str(refuse_unknown("mailer in OPTIONS['mailer']", mailer, mailers)), alias=alias)
    config = mailers.settings[mailer]
    backend = import_string(config.get("BACKEND", DEFAULT_INNER))
    if isinstance(backend, type) and issubclass(backend, EmailBackend):
        raise invalid(f"OPTIONS['mailer'] is {mailer!r}, which is Mailnod itself; name one that sends.", alias=alias)
    if fail_silently:
        passed["fail_silently"] = True
    if not passed:
        return mailers[mailer]
    return backend(alias=mailer, **{**config.get("OPTIONS", {}), **passed, "_ignore_unknown_kwargs": set(passed)})
