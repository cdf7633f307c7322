"""``send_mail`` and ``send_mass_mail`` with override keywords."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core import mail as django_mail

from mailnod_django.message import TrackedEmail

__all__ = ["send_mail", "send_mass_mail"]


def send_mail(
    subject: str,
    message: str,
    from_email: str | None,
    recipient_list: Sequence[str],
    fail_silently: bool = False,
    auth_user: str | None = None,
    auth_password: str | None = None,
    connection: Any = None,
    html_message: str | None = None,
    *,
    using: str | None = None,
    **overrides: Any,
) -> int:
    """Send one mail, as ``django.core.mail.send_mail`` does.

    :param using: the name of a mailer, from Django 6.1 on.
    :param overrides: override keywords, as :class:`~mailnod_django.TrackedEmail` takes them.
    :raises TypeError: an override keyword is unknown or has the wrong type.
    """
    if auth_user is not None or auth_password is not None:
        connection = connection or _connect(fail_silently, auth_user, auth_password, using)
    given = {} if connection is None else {"connection": connection}
    mail = TrackedEmail(subject, message, from_email, recipient_list, **given, **overrides)
    if html_message:
        mail.attach_alternative(html_message, "text/html")
    return mail.send(fail_silently and connection is None, **({} if using is None else {"using": using}))


def send_mass_mail(
    datatuple: Iterable[Sequence[Any]],
    fail_silently: bool = False,
    auth_user: str | None = None,
    auth_password: str | None = None,
    connection: Any = None,
    *,
    using: str | None = None,
    **overrides: Any,
) -> Any:
    """Send many mails over one connection, as ``django.core.mail.send_mass_mail`` does.

    :param datatuple: (subject, message, from_email, recipient_list) of each mail, and its HTML text as a fifth element
        where it has one; mail without HTML cannot be tracked.
    :param using: the name of a mailer, from Django 6.1 on.
    :param overrides: override keywords for each mail, as :class:`~mailnod_django.TrackedEmail` takes them.
    :returns: what the backend returns: how many mails were sent.
    :raises TypeError: an override keyword is unknown or has the wrong type.
    """
    messages = []
    for subject, text, sender, recipients, *html in datatuple:
        mail = TrackedEmail(subject, text, sender, recipients, **overrides)
        for content in filter(None, html):
            mail.attach_alternative(content, "text/html")
        messages.append(mail)
    connection = connection or _connect(fail_silently, auth_user, auth_password, using)
    return connection.send_messages(messages)


def _connect(fail_silently: bool, auth_user: str | None, auth_password: str | None, using: str | None) -> Any:
    given = {"username": auth_user, "password": auth_password}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if fail_silently:
        options["fail_silently"] = True
    mailers: Any = getattr(django_mail, "mailers", None)
    if using is not None:
        if options or mailers is None:
            raise TypeError("'using' needs Django 6.1 and fits neither 'fail_silently' nor 'auth_user'")
        return mailers[using]
    if mailers is not None and not options:
        return mailers.default
    return django_mail.get_connection(**options)
