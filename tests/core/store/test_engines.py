"""Which engine opens which database, and what is shown of it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from mailnod import ConfigurationError, Settings, Tracker, hookimpl
from mailnod.plugins import Plugins
from mailnod.settings import DatabaseUrl
from mailnod.store.base import Store
from mailnod.store.engines import PostgresEngine, SQLiteEngine, open_store
from mailnod.store.sqlite import SQLiteStore

SERVER = "postgresql://mailnod:hush@one.example:5432,two.example/mail?sslmode=verify-full&password=hush"


class MemoryEngine:
    """An engine of somebody else's, for URLs of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @hookimpl
    def open_store(self, settings: Settings, read_only: bool) -> Store | None:
        """Open "memory://" and nothing else."""
        if not isinstance(settings.database, DatabaseUrl) or settings.database.scheme != "memory":
            return None
        return SQLiteStore(self._folder / "memory.db", read_only=read_only)


class BrokenEngine:
    """An engine that cannot be asked."""

    @hookimpl
    def open_store(self) -> None:
        """Raise."""
        raise RuntimeError("hush")


def open_by(database: str, *engines: object) -> Store:
    """Open a database as the built-in engines and others do."""
    plugins = Plugins([SQLiteEngine(), PostgresEngine(), *engines], load_entry_points=False)
    return open_store(plugins, Settings.from_mapping({"MAILNOD_DATABASE": database}))


def test_path_is_a_file_and_url_a_server(tmp_path: Path) -> None:
    """A path is opened by SQLite, and a PostgreSQL URL by PostgreSQL; neither is touched before it is used."""
    from mailnod.store.postgres.store import PostgresStore

    assert isinstance(open_by(str(tmp_path / "mailnod.db")), SQLiteStore)
    assert isinstance(open_by(SERVER), PostgresStore)
    assert isinstance(open_by("postgres://one.example/mail"), PostgresStore)
    assert list(tmp_path.iterdir()) == []


def test_engine_of_a_plugin_opens_its_urls(tmp_path: Path) -> None:
    """A tracker's store is what a plugin returns for a URL that it knows; paths stay SQLite's."""
    settings = Settings.from_mapping(
        {"MAILNOD_DATABASE": "memory://here", "MAILNOD_JOURNALS": str(tmp_path / "journals")}
    )
    keys = Settings.from_mapping({"MAILNOD_SECRET_KEYS": "k" * 40}).secret_keys
    assert keys is not None
    from mailnod import Keyring

    engine = MemoryEngine(tmp_path)
    tracker = Tracker(settings, keyring=Keyring.parse(keys), plugins=[engine], load_entry_points=False)
    assert tracker.store.get_deliveries() == []
    tracker.close()
    assert (tmp_path / "memory.db").exists()
    assert not isinstance(open_by(str(tmp_path / "mailnod.db"), engine), MemoryEngine)


def test_unknown_engine_is_refused_at_start() -> None:
    """A URL that nobody opens is a wrong set-up, and says so without what is secret in it."""
    with pytest.raises(ConfigurationError, match=r"'oracle://db\.example/mail', which no plugin opens") as caught:
        open_by("oracle://scott:hush@db.example/mail")
    assert "hush" not in str(caught.value)


def test_engine_that_raises_stops_the_start() -> None:
    """Another engine in its place would split the data, so there is no safe answer."""
    with pytest.raises(ConfigurationError, match="BrokenEngine") as caught:
        open_by("mailnod.db", BrokenEngine())
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://u:hush@[::1/mail", "postgresql://h/mail?nonsense=hush"])
def test_wrong_url_is_refused_without_showing_it(url: str) -> None:
    """What libpq cannot read is a wrong set-up; the message quotes nothing of it."""
    with pytest.raises(ConfigurationError, match="URL") as caught:
        open_by(url)
    assert "hush" not in str(caught.value)


def test_url_shows_itself_without_secrets() -> None:
    """User, password and parameters are in no text that a URL is turned into, and it survives pickling whole."""
    database = Settings.from_mapping({"MAILNOD_DATABASE": SERVER}).database
    assert isinstance(database, DatabaseUrl)
    assert str(database) == "postgresql://one.example:5432,two.example/mail"
    assert repr(database) == f"DatabaseUrl({str(database)!r})"
    assert pickle.loads(pickle.dumps(database)).url == SERVER
    assert "hush" not in repr(Settings(database=database))


def test_files_of_this_host_have_a_place_beside_a_server() -> None:
    """With a store on a server, journals lie in the folder that is named, or in one with a name of its own."""
    settings = Settings.from_mapping({"MAILNOD_DATABASE": SERVER})
    assert settings.journal_folder == Path("mailnod.journals")
    named = Settings.from_mapping({"MAILNOD_DATABASE": SERVER, "MAILNOD_JOURNALS": "/srv/hits"})
    assert (named.journal_folder, named.networks_file) == (Path("/srv/hits"), Path("/srv/hits.networks"))
    assert Settings.from_mapping({"MAILNOD_DATABASE": "a.db"}).journal_folder == Path("a.db.journals")
