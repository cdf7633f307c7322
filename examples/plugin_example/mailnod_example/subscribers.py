"""A source of consent: the table in which an app keeps what its subscribers agreed to."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from mailnod import Consent, ConsentState, hookimpl

__all__ = ["Subscribers", "plugin"]

STATES = {None: ConsentState.UNKNOWN, 0: ConsentState.DENIED, 1: ConsentState.GRANTED}
QUERY = "SELECT opens, clicks FROM consents WHERE address = ? COLLATE NOCASE AND purpose = ?"


class Subscribers:
    """Answers for those whom the table ``consents(address, purpose, opens, clicks)`` names.

    :param path: the SQLite file; None knows nobody.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @hookimpl
    def get_consent(self, recipient: str, purpose: str) -> Consent | None:
        """Return what the table says.

        Whatever goes wrong here, a missing file and a value that is none of ours too, may raise: Mailnod takes it for a
        denial.
        """
        if self._path is None:
            return None
        # The plugin only reads, so a wrong path does not become an empty file.
        with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute(QUERY, (recipient, purpose)).fetchone()
        if row is None:
            return None
        opens, clicks = row
        return Consent(opens=STATES[opens], clicks=STATES[clicks], source="subscribers")


#: What the entry point names.
plugin = Subscribers(Path(os.environ["EXAMPLE_SUBSCRIBERS"]) if os.environ.get("EXAMPLE_SUBSCRIBERS") else None)
