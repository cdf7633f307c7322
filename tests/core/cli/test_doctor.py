"""``mailnod doctor`` and ``mailnod plugins``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from contracts.store_contract import T0, make_observation
from mailnod import Tracker
from mailnod.cli.doctor import check_space
from mailnod.judge.networks import Part
from mailnod.judge.packed import write_packed
from mailnod.model import Overflow
from mailnod.store.spool import Spool, find_folders
from mailnod.testing import FrozenClock

Run = Callable[..., Result]


def examine(run: Run, *, exit_code: int) -> dict[str, str]:
    """Return the findings that are not fine, as ``subject: level``; lists of networks were never fetched here."""
    result = run("doctor", "--json")
    assert result.exit_code == exit_code, result.output
    found = json.loads(result.stdout)
    return {f["subject"]: f["level"] for f in found if f["level"] != "ok" and f["subject"] != "networks"}


def test_sound_set_up_is_fine(run: Run, campaign: None) -> None:
    """A working set-up has no finding but fine ones, and ends with 0."""
    assert examine(run, exit_code=0) == {}


def test_set_up_before_the_first_mail_is_fine(run: Run, tmp_path: Path) -> None:
    """A store that is not there yet is no fault, and looking makes none."""
    assert examine(run, exit_code=0) == {}
    assert list(tmp_path.iterdir()) == []


def test_table_shows_routes_with_their_consent(run: Run) -> None:
    """Each route that tracks is shown with what it asks for."""
    shown = run("doctor").stdout
    assert "opens and clicks, consent assumed" in shown


def test_missing_keys_are_broken(run: Run, environ: dict[str, str]) -> None:
    """Without keys no link can be signed."""
    del environ["MAILNOD_SECRET_KEYS"]
    assert examine(run, exit_code=1) == {"keys": "broken"}


def test_short_secret_is_a_warning(run: Run, environ: dict[str, str]) -> None:
    """A secret that could be guessed is named by its key's id, and not shown."""
    environ["MAILNOD_SECRET_KEYS"] = "shorty"
    assert examine(run, exit_code=0) == {"keys": "warning"}
    assert "shorty" not in run("doctor").stdout


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("MAILNOD_BASE_URL", "http://app.example/t", {"settings": "warning"}),
        ("MAILNOD_BASEURL", "https://app.example", {"settings": "warning"}),
        ("MAILNOD_ROUTES", "{}", {"routes": "warning"}),
        ("MAILNOD_SETTLE_S", "soon", {"settings": "broken"}),
        ("MAILNOD_SECRET_KEYS", "0:signs:x", {"keys": "broken"}),
        ("MAILNOD_BASE_URL", "https://app.example", {"base_url": "warning"}),
    ],
)
def test_doubtful_and_wrong_settings_show(
    run: Run, environ: dict[str, str], name: str, value: str, finding: dict[str, str]
) -> None:
    """What is probably not meant is a warning, what cannot be read is broken."""
    environ[name] = value
    assert examine(run, exit_code=1 if "broken" in finding.values() else 0) == finding


def test_damaged_store_is_broken(run: Run, environ: dict[str, str]) -> None:
    """A file that is no database is named."""
    Path(environ["MAILNOD_DATABASE"]).write_bytes(b"not a database " * 100)
    assert examine(run, exit_code=1)["store"] == "broken"


def test_damaged_journal_is_a_warning(run: Run, environ: dict[str, str], campaign: None) -> None:
    """Each journal that was set aside is named, because hits may be missing."""
    for name in ("1.corrupt", "2.corrupt"):
        (Path(environ["MAILNOD_DATABASE"] + ".journals") / name).touch()
    assert examine(run, exit_code=0) == {"journals": "warning"}
    shown = run("doctor", "--json").stdout
    assert "1.corrupt" in shown
    assert "2.corrupt" in shown


def test_hits_in_a_spool_are_a_warning(run: Run, environ: dict[str, str], tmp_path: Path, waiting: None) -> None:
    """What a journal did not take shows with its place, and is gone when a worker has taken it in."""
    environ["MAILNOD_SPOOL"] = str(tmp_path / "spool")
    (folder,) = find_folders(Path(environ["MAILNOD_DATABASE"]), chosen=tmp_path / "spool")
    Spool([folder], limit_bytes=10**6).write([make_observation(b"8 bytes.")])
    assert examine(run, exit_code=0) == {"spool": "warning"}
    assert str(folder) in run("doctor", "--json").stdout
    run("work", "--once")
    assert examine(run, exit_code=0) == {}


def test_spool_that_cannot_be_made_is_a_warning(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    """A folder that is none leaves a fault of the journal without a second place."""
    (tmp_path / "file").touch()
    environ["MAILNOD_SPOOL"] = str(tmp_path / "file" / "spool")
    assert examine(run, exit_code=0) == {"spool": "warning"}


def test_disk_without_room_is_a_warning(tmp_path: Path) -> None:
    """A disk that is nearly full is named once, by what is to be written there; one with room is not."""
    paths = [tmp_path / "mailnod.db", tmp_path / "mailnod.db.journals"]
    assert list(check_space(paths, least_bytes=0)) == []
    (finding,) = check_space(paths, least_bytes=2**62)
    assert (finding.level, finding.subject) == ("warning", "space")
    assert f"MB are free on the disk of {paths[0]}" in finding.detail


def test_lost_and_capped_hits_show(run: Run, tracker: Tracker, campaign: None) -> None:
    """What was only counted shows with its number; what was lost is a warning."""
    at = {"first_at": T0, "last_at": T0, "id": bytes(16)}
    tracker.store.add_overflow([Overflow(reason="lost", key="", kind="open", count=3, **at)])  # type: ignore[arg-type]
    assert examine(run, exit_code=0) == {"lost": "warning"}
    at["id"] = b"1" * 16
    tracker.store.add_overflow([Overflow(reason="source", key="k", kind="click", count=7, **at)])  # type: ignore[arg-type]
    shown = run("doctor", "--json").stdout
    assert "3 opens" in shown
    assert "7 clicks from 2026-03-01 12:00:00 to 2026-03-01 12:00:00, of 1 address" in shown


def test_store_that_is_gone_is_broken(run: Run, environ: dict[str, str], tracker: Tracker, campaign: None) -> None:
    """A store that a worker has seen, and that is not there any more, is no store before its first mail."""
    # There is nothing else to do in this pass.
    tracker.work_once()
    tracker.close()
    assert "it was sound" in run("doctor", "--json").stdout
    for path in Path(environ["MAILNOD_DATABASE"]).parent.glob("mailnod.db*"):
        if path.is_file():
            path.unlink()
    assert examine(run, exit_code=1) == {"health": "broken"}


def test_folder_is_no_store(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    """A folder in the place of the database is called one, here and where events are looked at."""
    environ["MAILNOD_DATABASE"] = str(tmp_path)
    found = json.loads(run("doctor", "--json").stdout)
    assert ["is a folder" in f["detail"] for f in found if f["subject"] == "store"] == [True]
    assert "is a folder" in run("events").output


def test_hits_in_journals_are_counted(run: Run, waiting: None) -> None:
    """What no worker has taken in yet shows."""
    assert "3 hits in them wait for a worker" in run("doctor", "--json").stdout


def test_impossible_folder_is_broken(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    """Where neither store nor journals can be made, both are broken."""
    (tmp_path / "file").touch()
    environ["MAILNOD_DATABASE"] = str(tmp_path / "file" / "mailnod.db")
    assert {"store", "journals"} <= set(examine(run, exit_code=1))


def test_missing_folder_will_be_made(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    """A folder that can be made is no fault."""
    environ["MAILNOD_DATABASE"] = str(tmp_path / "new" / "mailnod.db")
    assert examine(run, exit_code=0) == {}


def test_plugins_lists_hooks(run: Run) -> None:
    """The built-in consent store is a plugin, and shows as one."""
    found = json.loads(run("plugins", "--json").stdout)
    assert any(one["hooks"] == ["get_consent"] and "ConsentStore" in one["source"] for one in found)
    assert "get_consent" in run("plugins").stdout


def find_networks(run: Run) -> list[tuple[str, str]]:
    """Return what is said of the lists of networks."""
    found = json.loads(run("doctor", "--json").stdout)
    return [(f["level"], f["detail"]) for f in found if f["subject"] == "networks"]


def test_missing_lists_of_networks_are_a_warning(run: Run) -> None:
    """Judging works without them, and is better with them."""
    ((level, detail),) = find_networks(run)
    assert level == "warning"
    assert "coarse built-in blocks are used" in detail
    assert "mailnod networks update" in detail


@pytest.mark.parametrize(("days", "level"), [(60, "ok"), (61, "warning")])
def test_old_lists_of_networks_are_a_warning(
    run: Run, environ: dict[str, str], clock: FrozenClock, days: int, level: str
) -> None:
    """After 60 days a list misses too much; which one is old is said."""
    parts = [
        Part(
            name=name, source="", fetched_at=clock.now() - timedelta(days=age), rows=1, intervals=[(1 << 125, 1 << 126)]
        )
        for name, age in (("amazon", days), ("linode", 1))
    ]
    write_packed(Path(environ["MAILNOD_DATABASE"] + ".networks"), parts)
    ((found, detail),) = find_networks(run)
    assert found == level
    assert f"{days} days old" in detail
    assert "linode" not in detail


def test_damaged_lists_of_networks_are_a_warning(run: Run, environ: dict[str, str]) -> None:
    """The judge goes on with its built-in blocks."""
    Path(environ["MAILNOD_DATABASE"] + ".networks").write_bytes(b"nonsense")
    ((level, detail),) = find_networks(run)
    assert level == "warning"
    assert "no file of packed networks" in detail


def test_engine_of_the_judge_is_said(run: Run) -> None:
    """Where the fast engine is installed, that is said."""
    found = json.loads(run("doctor", "--json").stdout)
    assert [f["level"] for f in found if f["subject"] == "judge"] == ["ok"]
