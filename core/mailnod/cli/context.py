"""What every command is handed: settings, store and tracker, each made on first use, and how results are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mailnod.clock import Clock, SystemClock
from mailnod.errors import ConfigurationError
from mailnod.settings import Settings

if TYPE_CHECKING:
    from mailnod.store.base import Store
    from mailnod.tokens import Keyring
    from mailnod.tracker import Tracker

__all__ = ["COMMAND_NAME", "CliContext", "database_option", "json_option", "name_command", "pass_cli"]

Command = TypeVar("Command", bound=Callable[..., Any])

#: Where a click context keeps how our group was called: "mailnod", "flask mailnod" or "manage.py mailnod".
COMMAND_NAME = "mailnod.command_name"


def name_command(command: str) -> str:
    """Return how somebody calls a command of ours who called the one that runs now.

    A hint that leaves "flask" out would lead past the app's settings.

    :param command: what follows our own name, such as "networks update".
    :returns: such as "mailnod networks update" or "flask mailnod networks update".
    """
    context = click.get_current_context(silent=True)
    name = "mailnod" if context is None else context.meta.get(COMMAND_NAME, "mailnod")
    return f"{name} {command}"


class CliContext:
    """The object in :attr:`click.Context.obj`; nothing is read or opened before it is asked for.

    :param environ: where settings are read from; the process's environment by default.
    :param tracker: an app's own tracker; its settings and store are used then, and it stays open.
    :param clock: what tells the time.
    """

    def __init__(
        self, *, environ: Mapping[str, str] | None = None, tracker: Tracker | None = None, clock: Clock | None = None
    ) -> None:
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.clock: Clock = clock or SystemClock()
        self._given = tracker
        self._database: str | None = None

    @property
    def belongs_to_app(self) -> bool:
        """Whether an app's tracker is used, and not the environment."""
        return self._given is not None

    def use_database(self, database: str) -> None:
        """Take another database than the settings name.

        :raises click.UsageError: an app's tracker is used, whose database is the app's.
        """
        if self.belongs_to_app:
            raise click.UsageError("--database does not fit here: the app's own configuration names the database")
        self._database = database

    @cached_property
    def settings(self) -> Settings:
        """The app's settings, or those of the environment."""
        if self._given is not None:
            return self._given.settings
        return Settings.from_environ(self.environ, database=self._database)

    @cached_property
    def tracker(self) -> Tracker:
        """The app's tracker, or one made from the settings; closed with the command.

        Judging signs and verifies nothing, so where there are no keys it has one that nobody else knows: that is how
        ``mailnod work`` runs beside an app that derives its keys.
        """
        if self._given is not None:
            return self._given
        from mailnod.tokens import Key, Keyring, KeyState, new_secret
        from mailnod.tracker import Tracker

        keyring = self.keyring or Keyring([Key(id=0, state=KeyState.SIGNING, secret=new_secret())])
        tracker = Tracker(self.settings, keyring=keyring, clock=self.clock)
        click.get_current_context().find_root().call_on_close(tracker.close)
        return tracker

    @cached_property
    def reader(self) -> Store:
        """The store for reports; it is never created by looking at it."""
        return self._open(read_only=True)

    @cached_property
    def writer(self) -> Store:
        """The store for changes; it is created where there is none."""
        return self._open(read_only=False)

    @property
    def keyring(self) -> Keyring | None:
        """The app's keys, or those of the environment; None where there are none.

        :raises ConfigurationError: they cannot be read.
        """
        if self._given is not None:
            return self._given.keyring
        from mailnod.tokens import Keyring

        value = self.settings.secret_keys
        return None if value is None else Keyring.parse(value)

    def require_store(self) -> None:
        """Refuse to go on where there is neither a database nor a journal, which a misspelt path looks like.

        :raises ConfigurationError: there is nothing at the path, and no app answers for it.
        """
        database = self.settings.database
        if self.belongs_to_app or not isinstance(database, Path) or database.exists():
            return
        if not self.settings.journal_folder.exists():
            raise self._refuse_missing()

    def count_pending(self) -> int:
        """Return how many hits of this host lie in its journals and spools, where no store has them yet."""
        from mailnod.store.drain import count_pending
        from mailnod.store.spool import find_folders

        spools = find_folders(self.settings.local_path, chosen=self.settings.spool)
        return count_pending(self.settings.journal_folder, spool_folders=spools)

    def _refuse_missing(self) -> ConfigurationError:
        return ConfigurationError(
            f"there is no database at {str(self.settings.database)!r}: name it with --database or MAILNOD_DATABASE; "
            "the first tracked mail or the first consent makes it"
        )

    def _open(self, *, read_only: bool) -> Store:
        if self._given is not None:
            return self._given.store
        from mailnod.plugins import Plugins
        from mailnod.store.engines import PostgresEngine, SQLiteEngine, open_store

        database = self.settings.database
        if read_only and isinstance(database, Path) and not database.exists():
            raise self._refuse_missing()
        store = open_store(Plugins([SQLiteEngine(), PostgresEngine()]), self.settings, read_only=read_only)
        click.get_current_context().find_root().call_on_close(store.close)
        return store


#: Hands a command the :class:`CliContext`.
pass_cli = click.make_pass_decorator(CliContext)


def _set_database(context: click.Context, _: click.Parameter, value: str | None) -> None:
    cli = context.find_object(CliContext)
    if value is not None and cli is not None:
        cli.use_database(value)


class _DatabaseType(click.Path):
    """The path of a file, or the URL of a server."""

    name = "path or URL"

    def __init__(self) -> None:
        super().__init__(dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave a URL alone, and refuse a path that is a folder."""
        return value if "://" in str(value) else super().convert(value, param, ctx)


def database_option(command: Command) -> Command:
    """Give a command the option ``--database``."""
    option = click.option(
        "--database",
        type=_DatabaseType(),
        callback=_set_database,
        expose_value=False,
        is_eager=True,
        help="The store, a path or a URL; MAILNOD_DATABASE or mailnod.db where it is not given.",
    )
    return option(command)


def json_option(command: Command) -> Command:
    """Give a command the option ``--json``, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")(command)
