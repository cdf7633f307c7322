"""Read, take apart and rewrite the mails of files one by one, as the command line and continuous integration do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

from mailnod.model import ConsentState
from mailnod.settings import Settings
from mailnod_desktop.services.mailbox import Mailbox
from mailnod_desktop.services.model import Inspection, Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.reading import Reading, ReadingError, read_file
from mailnod_desktop.services.rewriting import Rewriter

__all__ = ["inspect_all", "make_wishes", "read_lean", "set_base_url"]


def inspect_all(
    reading: Reading, rewriter: Rewriter, wishes: Wishes, *, failed: Callable[[ReadingError], None]
) -> Iterator[Inspection]:
    """Yield the inspection of each mail, in order; no more than one of them is held at a time.

    :param failed: told of each mail that cannot be read any more.
    """
    for source in reading.sources:
        for mail in _walk(source, failed):
            yield rewriter.inspect(parse(mail), wishes)


def read_lean(readers: Iterable[Path | Callable[[], Sequence[Mail]]]) -> Reading:
    """Read files so that of thousands of them no more than one is held at a time.

    :param readers: files, and what reads mails from elsewhere.
    """
    sources: list[Sequence[Mail]] = []
    errors: list[ReadingError] = []
    for reader in readers:
        try:
            source = read_file(reader) if isinstance(reader, Path) else reader()
        except ReadingError as error:
            errors.append(error)
            continue
        if isinstance(reader, Path) and not isinstance(source, Mailbox):
            source = _File(reader)
        sources.append(source)
    return Reading(sources=tuple(sources), errors=tuple(errors))


class _File(Sequence[Mail]):
    """A file of one mail, which is read each time that somebody asks for it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __len__(self) -> int:
        return 1

    @overload
    def __getitem__(self, index: int) -> Mail: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Mail]: ...

    def __getitem__(self, index: int | slice) -> Mail | Sequence[Mail]:
        return read_file(self._path)[index]


def make_wishes(
    *, route: str | None, opens: bool, clicks: bool, recipient: str | None, consent: ConsentState | None
) -> Wishes:
    """Return wishes in which only what is turned off differs from the route's word.

    :param opens: False turns them off.
    :param clicks: likewise.
    :param consent: of every recipient; None asks the store.
    """
    return Wishes(
        route=route,
        track_opens=None if opens else False,
        track_clicks=None if clicks else False,
        recipient=recipient,
        consent_opens=consent,
        consent_clicks=consent,
    )


def set_base_url(settings: Settings, base_url: str) -> Settings:
    """Return settings by which every route's links lead to another collector.

    :raises ConfigurationError: it is not a URL such as 'https://app.example/t'.
    """
    checked = Settings.from_mapping({"MAILNOD_BASE_URL": base_url}).base_url
    routes = {name: replace(route, base_url=None) for name, route in settings.routes.items()}
    return replace(settings, base_url=checked, routes=routes)


def _walk(source: Sequence[Mail], failed: Callable[[ReadingError], None]) -> Iterator[Mail]:
    for index in range(len(source)):
        try:
            yield source[index]
        except ReadingError as error:
            failed(error)
            return
        except OSError as error:
            name = Path(str(error.filename)).name if error.filename else "the mailbox"
            problem = f"it cannot be read any more: {error.strerror or error}"
            failed(ReadingError(name, problem, "Check that the file is still there."))
            return
