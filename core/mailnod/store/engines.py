"""The engines that Mailnod brings along, plugged in as any other one would be."""

from __future__ import annotations

from pathlib import Path

from mailnod.errors import ConfigurationError, HookError
from mailnod.hookspecs import hookimpl
from mailnod.plugins import Plugins
from mailnod.settings import Settings
from mailnod.store.base import Store

__all__ = ["PostgresEngine", "SQLiteEngine", "open_store"]


class SQLiteEngine:
    """Opens a file."""

    __name__ = "sqlite"

    @hookimpl
    def open_store(self, settings: Settings, read_only: bool) -> Store | None:
        """Return the store in the file that the settings name."""
        if not isinstance(settings.database, Path):
            return None
        from mailnod.store.sqlite import SQLiteStore

        return SQLiteStore(settings.database, read_only=read_only)


class PostgresEngine:
    """Opens a database on a PostgreSQL server."""

    __name__ = "postgres"

    @hookimpl
    def open_store(self, settings: Settings, read_only: bool) -> Store | None:
        """Return the store in the database that the settings name."""
        database = settings.database
        if isinstance(database, Path) or database.scheme not in ("postgres", "postgresql"):
            return None
        try:
            from mailnod.store.postgres.store import PostgresStore
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"MAILNOD_DATABASE is {str(database)!r}, and {error.name} is not installed: "
                "pip install 'mailnod[postgres]'"
            ) from error
        return PostgresStore(database.url, read_only=read_only)


def open_store(plugins: Plugins, settings: Settings, *, read_only: bool = False) -> Store:
    """Return the store of the first plugin that knows the database; nothing is opened yet.

    :param read_only: for reports: the store is never made, migrated or written.
    :raises ConfigurationError: no plugin knows it, or the one that does refuses it.
    """
    for name, answer in plugins.call("open_store", settings=settings, read_only=read_only):
        if isinstance(answer, HookError):
            # Nothing is safe to use in its place.
            if isinstance(answer.__cause__, ConfigurationError):
                raise answer.__cause__
            raise ConfigurationError(f"the plugin {name!r} cannot open {str(settings.database)!r}") from answer
        if answer is not None:
            store: Store = answer
            return store
    raise ConfigurationError(
        f"MAILNOD_DATABASE is {str(settings.database)!r}, which no plugin opens; expected a path, or a URL such as "
        "'postgresql://user@host/mail'"
    )
