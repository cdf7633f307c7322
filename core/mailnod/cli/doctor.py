"""``mailnod doctor``: look at the whole set-up and say what is wrong with it."""

from __future__ import annotations

import difflib
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click

from mailnod.cli.context import CliContext, database_option, json_option, name_command, pass_cli
from mailnod.cli.output import count, format_time, print_json, print_table
from mailnod.errors import ConfigurationError, NetworksError, StoreError
from mailnod.settings import PREFIX, SETTINGS, Settings
from mailnod.store.base import Store

__all__ = ["check_space", "doctor"]

#: Names in the environment that look like settings, and belong to the project's own tests.
_OURS = {"MAILNOD_SHARED", "MAILNOD_REQUIRE_ALL", "MAILNOD_TEST_POSTGRES"}
#: Published lists of networks change every week; after this many days too much is missing.
_OLD_DAYS = 60
#: Below this much room a disk counts as nearly full.
_LEAST_FREE_BYTES = 64_000_000

_PACKAGES = (
    "mailnod",
    "sqlite-utils",
    "psycopg",
    "pluggy",
    "ua-parser",
    "crawler-user-agents",
    "granian",
    "flask",
    "flask-mail",
    "django",
    "duckdb",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    #: "broken" needs work before mail is tracked; "warning" is allowed and probably not meant.
    level: Literal["ok", "warning", "broken"]
    subject: str
    detail: str


@click.command()
@database_option
@json_option
@click.pass_context
@pass_cli
def doctor(cli: CliContext, context: click.Context, *, as_json: bool) -> None:
    """Check keys, routes, store, journals and plugins; exit code 1 where something is broken."""
    findings = list(_examine(cli))
    if as_json:
        print_json(findings)
    else:
        print_table("Set-up", ("", "what", "finding"), [(f.level, f.subject, f.detail) for f in findings])
    if any(finding.level == "broken" for finding in findings):
        context.exit(1)


def _examine(cli: CliContext) -> Iterator[Finding]:
    yield _ok("versions", ", ".join([f"python {platform.python_version()}", *_get_versions()]))
    try:
        settings = cli.settings
    except ConfigurationError as error:
        yield _broken("settings", str(error))
        yield from _check_environ(cli)
        return
    yield _ok("settings", "from the app" if cli.belongs_to_app else "from the environment")
    if not cli.belongs_to_app:
        yield from _check_environ(cli)
    told = set[str]()
    for check in (_check_keys, _check_routes, _check_plugins):
        # Keys that cannot be read stop more than one check, and are one thing to mend.
        for finding in _guarded(check, cli):
            if finding.level != "broken" or finding.detail not in told:
                told.add(finding.detail)
                yield finding
    yield from _check_store(cli)
    yield from _check_journals(settings.journal_folder)
    yield from _check_networks(settings.networks_file, now=cli.clock.now())
    yield from _check_engine()
    yield from _check_spool(settings)
    yield from check_space([settings.local_path, settings.journal_folder])
    yield from _check_health(settings)


def _guarded(check: Callable[[CliContext], Iterator[Finding]], cli: CliContext) -> Iterator[Finding]:
    try:
        yield from check(cli)
    except ConfigurationError as error:
        yield _broken(check.__name__.removeprefix("_check_"), str(error))


def _check_environ(cli: CliContext) -> Iterator[Finding]:
    known = [PREFIX + name.upper() for name in SETTINGS]
    for name in sorted(set(cli.environ) - set(known) - _OURS):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8) if name.startswith(PREFIX) else []
        if near:
            yield _warning("settings", f"{name} is no setting and has no effect; did you mean {near[0]}?")


def _check_keys(cli: CliContext) -> Iterator[Finding]:
    keyring = cli.keyring
    if keyring is None:
        yield _broken("keys", f"MAILNOD_SECRET_KEYS is not set; make its value with '{name_command('keys new')}'")
        return
    yield _ok("keys", ", ".join(f"{key.id} {key.state}" for key in keyring.keys))
    if keyring.derived:
        yield _warning(
            "keys",
            "derived from the app's SECRET_KEY: a new SECRET_KEY without SECRET_KEY_FALLBACKS kills every link in mail "
            f"already sent; '{name_command('keys new')}' prints keys of their own that keep the old ones",
        )
        return
    for doubt in keyring.find_doubts():
        yield _warning("keys", doubt)


def _check_routes(cli: CliContext) -> Iterator[Finding]:
    settings = cli.settings
    if settings.base_url:
        yield _ok("base_url", settings.base_url)
    for doubt in settings.find_doubts():
        yield _warning("settings", doubt)
    for url in settings.get_base_urls():
        if not urlsplit(url).path.strip("/"):
            yield _warning(
                "base_url",
                f"{url} has no path, so every /o/... and /c/... of that host is Mailnod's; give it a path of its own, "
                f"such as {url}/t, unless the host serves nothing else",
            )
    for route in settings.routes.values():
        axes = [name for name, on in (("opens", route.track_opens), ("clicks", route.track_clicks)) if on]
        tracked = f"{' and '.join(axes)}, consent {route.consent} for {route.purpose!r}" if axes else "not tracked"
        yield _ok(f"route {route.name}", tracked)
    if not any(route.track_opens or route.track_clicks for route in settings.routes.values()):
        yield _warning("routes", "no route tracks: only mail that asks for it itself is tracked")


def _check_plugins(cli: CliContext) -> Iterator[Finding]:
    names = [name for name, _ in cli.tracker.plugins]
    yield _ok("plugins", ", ".join(names) or "none")


def _check_store(cli: CliContext) -> Iterator[Finding]:
    path = cli.settings.database
    if not isinstance(path, Path):
        yield from _check_server(cli, str(path))
        return
    if path.is_dir():
        yield _broken("store", f"{path} is a folder; name a file in it, such as {path / 'mailnod.db'}")
        return
    if not path.exists():
        if _can_make(path):
            yield _ok("store", f"{path} is not there yet; the first tracked mail makes it")
        else:
            yield _broken("store", f"{path} is not there and cannot be made by this user")
        return
    try:
        wrong = cli.reader.check()
    except StoreError as error:
        yield _broken("store", str(error))
        return
    if not os.access(path, os.W_OK):
        wrong = [*wrong, f"{path} cannot be written by this user"]
    for problem in wrong:
        yield _broken("store", problem)
    if not wrong:
        yield _ok("store", f"{path}, {path.stat().st_size / 1e6:.1f} MB, sound")
        yield from _check_overflow(cli.reader)


def _check_server(cli: CliContext, database: str) -> Iterator[Finding]:
    try:
        wrong = cli.reader.check()
    except (ConfigurationError, StoreError) as error:
        wrong = [str(error)]
    for problem in wrong:
        yield _broken("store", problem)
    if not wrong:
        yield _ok("store", f"{database}, sound")


def _check_journals(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        if _can_make(folder):
            yield _ok("journals", f"{folder} is not there yet; the first hit makes it")
        else:
            yield _broken(
                "journals", f"{folder} is not there and cannot be made by this user: no hit could be recorded"
            )
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield _broken("journals", f"{folder} cannot be written: no hit can be recorded")
        return
    from mailnod.store.drain import CORRUPT_SUFFIX, count_pending
    from mailnod.store.journal_file import SUFFIX

    for path in sorted(folder.glob(f"*{CORRUPT_SUFFIX}")):
        yield _warning(
            "journals",
            f"{path} is no journal and was set aside: something else has written to it, and hits that it held are "
            "lost; look for the cause, and remove it",
        )
    files, hits = len(list(folder.glob(f"*{SUFFIX}"))), count_pending(folder)
    waiting = f"{count(hits, 'hit')} in them {'waits' if hits == 1 else 'wait'} for a worker"
    yield _ok("journals", f"{folder}, {count(files, 'journal')}" + (f"; {waiting}" if hits else ""))


def _check_networks(path: Path, *, now: datetime) -> Iterator[Finding]:
    from mailnod.judge.packed import read_packed

    how = f"fetch the published lists with '{name_command('networks update')}'"
    try:
        parts = read_packed(path)
    except NetworksError as error:
        yield _warning("networks", f"{path}: {error}; coarse built-in blocks are used: {how}")
        return
    if not parts:
        yield _warning("networks", f"{path} is not there; coarse built-in blocks are used: {how}")
        return
    old = [part for part in parts if (now - part.fetched_at).days > _OLD_DAYS]
    for part in old:
        yield _warning("networks", f"{part.name} is {(now - part.fetched_at).days} days old: {how}")
    if not old:
        days = max((now - part.fetched_at).days for part in parts)
        yield _ok("networks", f"{path}, {count(len(parts), 'list')}, the oldest {count(max(days, 0), 'day')} old")


def _check_engine() -> Iterator[Finding]:
    from mailnod.judge.knowledge import name_engine

    engine = name_engine()
    if engine == "regex":
        yield _ok("judge", "user agents are read by ua-parser's own engine")
    else:
        yield _warning(
            "judge",
            f"ua-parser's own engine is missing and its {engine} one reads user agents, which is correct and many "
            "times slower: pip install 'ua-parser[regex]'",
        )


def _check_spool(settings: Settings) -> Iterator[Finding]:
    from mailnod.store.spool import find_folders, measure

    folders = find_folders(settings.local_path, chosen=settings.spool)
    files, size = measure(folders)
    usable = [folder for folder in folders if _is_own(folder) or (not folder.exists() and _can_make(folder))]
    if not usable:
        shown = ", ".join(map(str, folders))
        yield _warning("spool", f"{shown} cannot be used: hits that no journal takes are lost; set MAILNOD_SPOOL")
    if files:
        yield _warning(
            "spool",
            f"{count(files, 'file')} of {size / 1e6:.1f} MB in {', '.join(map(str, folders))}: hits that a journal did "
            "not take; a worker takes them in when the store can be used; look into the log for why",
        )
    elif usable:
        yield _ok("spool", f"{usable[0]}, empty")


def check_space(paths: Iterable[Path], *, least_bytes: int = _LEAST_FREE_BYTES) -> Iterator[Finding]:
    """Find disks that are nearly full, each once.

    :param paths: what is written to, be it there or not yet.
    :param least_bytes: how much room is enough.
    """
    seen = set[int]()
    for path in paths:
        place = next((folder for folder in (path, *path.absolute().parents) if folder.exists()), None)
        if place is None or place.stat().st_dev in seen:
            continue
        seen.add(place.stat().st_dev)
        free = shutil.disk_usage(place).free
        if free < least_bytes:
            yield _warning("space", f"{free / 1e6:.1f} MB are free on the disk of {path}: make room")


def _check_health(settings: Settings) -> Iterator[Finding]:
    from mailnod.store.integrity import read_health

    health = read_health(settings.journal_folder)
    if health is None:
        return
    looked = f"a worker looked at the store on {format_time(health.checked_at)}"
    if health.file is not None and isinstance(settings.database, Path) and not settings.database.exists():
        yield _broken("health", f"{looked}, and now it is gone: {settings.database}; put it back from a backup")
    for problem in health.problems:
        yield _broken("health", f"{looked}: {problem}")
    if not health.problems:
        yield _ok("health", f"{looked}, and it was sound")


def _check_overflow(store: Store) -> Iterator[Finding]:
    for one in store.get_overflow():
        hits = f"{count(one.hits, one.kind)} from {format_time(one.first_at)} to {format_time(one.last_at)}"
        if one.reason == "lost":
            yield _warning("lost", f"{hits} were answered and not recorded, because no disk took them; see the log")
        else:
            setting = "MAILNOD_TOKEN_CAP" if one.reason == "token" else "MAILNOD_SOURCE_CAP"
            whose = count(one.keys, "mail") if one.reason == "token" else count(one.keys, "address", many="addresses")
            yield _ok("caps", f"{hits}, of {whose}, were counted only, because they were beyond {setting}")


def _is_own(folder: Path) -> bool:
    return folder.is_dir() and folder.stat().st_uid == os.geteuid() and os.access(folder, os.W_OK | os.X_OK)


def _can_make(path: Path) -> bool:
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _get_versions() -> Iterator[str]:
    for name in _PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue


def _ok(subject: str, detail: str) -> Finding:
    return Finding(level="ok", subject=subject, detail=detail)


def _warning(subject: str, detail: str) -> Finding:
    return Finding(level="warning", subject=subject, detail=detail)


def _broken(subject: str, detail: str) -> Finding:
    return Finding(level="broken", subject=subject, detail=detail)
