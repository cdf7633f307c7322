"""Searching in bodies, and saving: words are found whatever the encoding, and bytes are written as they came."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailnod_desktop.services.model import Mail
from mailnod_desktop.services.saving import find_message_id, save_mail, suggest_name
from mailnod_desktop.services.searching import holds_words

PLAIN = b"Subject: One\r\nMessage-ID:\r\n <1@example.com>\r\n\r\nThe Harbour\r\n"
QUOTED = (
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nA very long li=\r\nne from K=C3=B6ln\r\n"
)


def make_mail(data: bytes) -> Mail:
    """Return a mail of these bytes."""
    return Mail(key="one", name="one.eml", origin="file", data=data)


@pytest.mark.parametrize(
    ("data", "words", "found"),
    [
        (PLAIN, ["harbour", "one"], True),
        (PLAIN, ["harbour", "two"], False),
        (QUOTED, ["line"], True),
        (QUOTED, ["köln", "grüße"], True),
        (QUOTED, ["bonn"], False),
        (b"", ["x"], False),
        (bytes(range(256)), ["é"], False),
    ],
)
def test_words_are_found_whatever_the_encoding(data: bytes, words: list[str], found: bool) -> None:
    """Quoted-printable, soft line breaks and encoded words hide nothing."""
    assert holds_words(make_mail(data), [word.casefold() for word in words]) is found


def test_a_mail_is_named_by_its_subject_and_saved_as_it_came(tmp_path: Path) -> None:
    """No subject leads out of the folder, and no byte changes."""
    mail = make_mail(b"Subject: ../../etc/passwd: \xc3\xbc\r\n\r\n\xff\x00")
    assert suggest_name(mail) == "etc-passwd-ü.eml"
    assert suggest_name(make_mail(b"")) == "mail.eml"
    save_mail(mail, tmp_path / "saved.eml")
    assert (tmp_path / "saved.eml").read_bytes() == mail.data


def test_the_message_id_is_read_across_lines() -> None:
    """A folded header is read whole, and a page has none."""
    assert find_message_id(make_mail(PLAIN)) == "<1@example.com>"
    assert find_message_id(make_mail(QUOTED)) == ""
    assert find_message_id(Mail(key="p", name="p.html", origin="file", form="html", data=b"Message-ID: <x>")) == ""
