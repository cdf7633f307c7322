"""Old events move into Parquet files, each once, and counts stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mailnod.errors import ConfigurationError, StoreUnavailableError
from mailnod.model import EventFilter
from mailnod.report import archive as module
from mailnod.report.archive import Archived, archive
from mailnod.report.breakdown import break_down
from mailnod.report.parquet import COLUMNS, connect, read_ids, write_part

if TYPE_CHECKING:
    Site = Any

DAY_S = 86_400.0

pytest.importorskip("duckdb", reason="duckdb: the extra 'archive' is not installed")


def move(site: Site, *, days: int = 45, store: Any = None) -> Archived:
    """Archive what is older than so many days."""
    before = site.clock.now() - timedelta(days=days)
    return archive(store or site.tracker.store, site.folder / "old", before=before, clock=site.clock)


def read(site: Site, what: str) -> list[tuple[Any, ...]]:
    """Select something from all files of the archive."""
    with connect() as connection:
        files = str(site.folder / "old" / "*" / "*.parquet")
        rows: list[tuple[Any, ...]] = connection.execute(
            f"SELECT {what} FROM read_parquet($1, hive_partitioning = true)", [files]
        ).fetchall()
        return rows


@pytest.fixture
def old_site(site: Site) -> Site:
    """Give a site with five opens in each of three months, and one of today."""
    for _ in range(3):
        site.open_mail(times=5)
        site.tracker.work_once()
        site.clock.advance(40 * DAY_S)
    site.open_mail()
    site.tracker.work_once()
    return site


def test_old_events_move_and_counts_stay(old_site: Site) -> None:
    """What is old is in the files and not in the store, and the statistics are as before."""
    store = old_site.tracker.store
    counts = [store.get_metrics(by=by) for by in ("all", "campaign", "message", "hour")]
    ids = {record.event.id for record in store.get_events(EventFilter())}
    moved = move(old_site)
    assert (moved.moved, moved.kept) == (10, 0)
    left = {record.event.id for record in store.get_events(EventFilter())}
    archived = {row[0].bytes for row in read(old_site, "id")}
    assert archived | left == ids
    assert not archived & left
    assert [store.get_metrics(by=by) for by in ("all", "campaign", "message", "hour")] == counts


def test_each_month_has_a_folder(old_site: Site) -> None:
    """Files lie in one folder for each month, which engines read as a column."""
    move(old_site)
    months = {str(row[0]) for row in read(old_site, "month")}
    assert {f"{row[0]:%Y-%m}" for row in read(old_site, "occurred_at")} == months
    assert len(months) == 2


def test_files_hold_no_identity(old_site: Site) -> None:
    """Nothing in the files names a person: no address, no Message-ID, no IP address, agent or header."""
    move(old_site)
    (part, *_) = (old_site.folder / "old").glob("*/*.parquet")
    with connect() as connection:
        described = connection.execute("DESCRIBE SELECT * EXCLUDE (month) FROM read_parquet($1)", [str(part)])
        assert [row[0] for row in described.fetchall()] == list(COLUMNS)
    everything = " ".join(str(row) for row in read(old_site, "*"))
    for word in ("ada@", "@app.example", old_site.peer, old_site.agent, "Zyxomma"):
        assert word not in everything


def test_events_stay_while_their_links_record(site: Site) -> None:
    """Another hit of the mail would be taken for the first one, so its events wait until its links have expired."""
    site.open_mail(times=2)
    site.tracker.work_once()
    site.clock.advance(20 * DAY_S)
    moved = move(site, days=10)
    assert (moved.moved, moved.kept) == (0, 2)
    assert len(site.tracker.store.get_events(EventFilter())) == 2


def test_nothing_old_makes_no_file(site: Site) -> None:
    """Where nothing is old enough, no folder is made."""
    assert move(site) == Archived()
    assert not (site.folder / "old").exists()


@pytest.mark.parametrize("step", ["write_part", "note_part", "remove_events", "done"])
def test_interrupted_run_is_finished_by_the_next(old_site: Site, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step a run dies after, the next one leaves every event once, in the store or in the archive."""
    store = old_site.tracker.store
    ids = sorted(record.event.id for record in store.get_events(EventFilter()))

    class Killed(BaseException):
        """The process is gone."""

    def die_after(call: Any) -> Any:
        def dying(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            if step != "done" or options.get("done"):
                raise Killed
            return result

        return dying

    with monkeypatch.context() as patch:
        if step == "write_part":
            patch.setattr(module, "write_part", die_after(write_part))
        else:
            name = "note_part" if step == "done" else step
            patch.setattr(store, name, die_after(getattr(store, name)))
        with pytest.raises(Killed):
            move(old_site)
    move(old_site)
    left = [record.event.id for record in store.get_events(EventFilter())]
    assert sorted([*left, *(row[0].bytes for row in read(old_site, "id"))]) == ids
    assert len(left) == 6


def test_two_runs_at_once_take_turns(old_site: Site) -> None:
    """A run that begins while another reads or removes is refused, and every event stays in one place."""
    ids = sorted(record.event.id for record in old_site.tracker.store.get_events(EventFilter()))
    refused = []

    class Interrupted:
        """The store of a run that another one tries to overtake at every step."""

        def __getattr__(self, name: str) -> Any:
            if name in ("get_judged", "remove_events", "note_part"):
                with pytest.raises(StoreUnavailableError, match="somebody else"):
                    move(old_site)
                refused.append(name)
            return getattr(old_site.tracker.store, name)

    assert move(old_site, store=Interrupted()).moved == 10
    assert {"get_judged", "remove_events", "note_part"} <= set(refused)
    left = [record.event.id for record in old_site.tracker.store.get_events(EventFilter())]
    assert sorted([*left, *(row[0].bytes for row in read(old_site, "id"))]) == ids


def test_events_of_one_mail_move_together(site: Site) -> None:
    """While a mail has events that stay, all stay, because what is judged again is counted beside the others."""
    site.open_mail()
    site.clock.advance(29 * DAY_S)
    site.tracker.work_once()
    site.clock.advance(3 * DAY_S)
    # The mail is 32 days old and its links have expired, two days ago.
    assert move(site, days=10) == Archived(kept=1)
    assert move(site, days=1).moved == 1


def test_raw_facts_go_with_their_events(site: Site) -> None:
    """Of an event that moves before its raw facts are over, no agent and no header is left in the store."""
    site.open_mail()
    site.tracker.work_once()
    site.clock.advance(32 * DAY_S)
    assert site.find_raw_facts() != []
    assert move(site, days=1).moved == 1
    site.tracker.worker.sweep()
    assert site.find_raw_facts() == []


def test_unfinished_part_must_be_in_the_folder(old_site: Site) -> None:
    """A run that finds no trace of what the last one left refuses to guess, and names the file."""
    old_site.tracker.store.note_part("month=2026-01/lost.parquet", done=False)
    with pytest.raises(ConfigurationError, match=r"lost\.parquet"):
        move(old_site)


def test_breakdown_counts_archive_and_store_together(old_site: Site) -> None:
    """Every event is counted once, whether it was moved or not, and a month's mails once."""
    move(old_site)
    lines = break_down(old_site.tracker.store, old_site.folder / "old", by="month")
    assert [line.key for line in lines] == sorted((line.key for line in lines), reverse=True)
    assert sum(line.human_opens + line.machine_opens for line in lines) == 16
    (campaign,) = break_down(old_site.tracker.store, old_site.folder / "old", by="campaign")
    assert campaign.key == "spring"
    assert campaign.human_opens_unique in (0, 4)


def test_breakdown_counts_what_was_half_moved_once(old_site: Site, tmp_path: Path) -> None:
    """Events that lie in a file and still in the store count once, and the folder may have any name."""
    folder = tmp_path / "old [2026]* 'all'?"
    records = old_site.tracker.store.get_events(EventFilter())
    write_part(records[3:], folder / "month=2026-01" / "part.parquet")
    assert len(read_ids(folder / "month=2026-01" / "part.parquet")) == 13
    (line,) = break_down(old_site.tracker.store, folder, by="campaign")
    assert line.human_opens + line.machine_opens == 16


def test_breakdown_of_no_archive_is_refused(old_site: Site) -> None:
    """A folder without an archive is a mistake and not an empty result."""
    with pytest.raises(ConfigurationError, match="no archive"):
        break_down(old_site.tracker.store, old_site.folder, by="class")
