"""Run the demo: send, let every program do what it does, judge, and show what came of it."""

from __future__ import annotations

import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from mailnod import ConfigurationError
from mailnod.model import ConsentRecord
from mailnod_flask.demo.app import make_newsletter
from mailnod_flask.demo.mailbox import DeliveredMail
from mailnod_flask.demo.scene import LENGTH_S, READERS, VISITS, DemoClock, Visit
from mailnod_flask.demo.show import Result, print_json, print_result
from mailnod_flask.demo.stage import Stage, open_stage
from mailnod_flask.testing import TrackedMail, tracked_outbox

__all__ = ["run"]


def run(*, database: Path | None, keep: bool, as_json: bool) -> None:
    """Run the demo from beginning to end.

    :param database: where the store is made; None makes a fresh folder for it.
    :param keep: leave the app running at the end, until Ctrl-C.
    :param as_json: print JSON in place of tables.
    :raises ConfigurationError: there is something at ``database`` already.
    """
    database = _choose_database(database)
    console = Console(quiet=as_json, highlight=False)
    sent_at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=LENGTH_S)
    with open_stage(database, DemoClock(sent_at)) as stage:
        _step(console, f"A Flask app runs at {stage.site}, a mail server at 127.0.0.1:{stage.mail_server.port}.")
        result = _play(stage, console, sent_at)
        if as_json:
            print_json(result)
        else:
            print_result(result, console)
        if keep:
            _keep(stage, console)


def _play(stage: Stage, console: Console, sent_at: datetime) -> Result:
    asked = _record_consents(stage)
    _step(console, f"{asked} of {len(READERS)} readers have said whether their opens and clicks may be counted.")
    outbox = _send(stage)
    delivered = {mail.to: mail for mail in stage.mail_server.mails}
    kilobytes = sum(len(mail.raw) for mail in delivered.values()) / 1024
    _step(console, f"{len(delivered)} newsletters sent over SMTP and read back: {kilobytes:.0f} KiB.")
    hits = _visit(stage, delivered, sent_at)
    clients = len({visit.client.name for visit in VISITS})
    _step(console, f"{clients} kinds of clients opened and clicked: {hits} hits on pixels and tracked links.")
    stage.clock.move_to(sent_at + timedelta(seconds=LENGTH_S))
    while stage.tracker.work_once():
        pass
    _step(console, "The hits have settled and are judged.")
    return Result(
        readers=READERS,
        outbox=tuple(outbox),
        delivered=delivered,
        store=stage.tracker.store,
        database=stage.database,
        site=stage.site,
    )


def _record_consents(stage: Stage) -> int:
    asked = [reader for reader in READERS if reader.consent is not None]
    for reader in asked:
        assert reader.consent is not None  # noqa: S101  # mypy does not see through the comprehension.
        stage.tracker.store.record_consent(
            reader.address,
            ConsentRecord(
                recorded_at=stage.clock.now() - timedelta(days=20),
                purpose="statistics",
                opens=reader.consent,
                clicks=reader.consent,
                source="sign-up form",
            ),
        )
    return len(asked)


def _send(stage: Stage) -> list[TrackedMail]:
    mail = stage.app.extensions["mail"]
    with stage.app.app_context(), tracked_outbox() as outbox, mail.connect() as connection:
        for reader in READERS:
            message = make_newsletter(reader.address, site=stage.site, date=stage.clock.now())
            connection.send(message, **reader.overrides)
    return outbox


def _visit(stage: Stage, delivered: dict[str, DeliveredMail], sent_at: datetime) -> int:
    hits = 0
    for visit in VISITS:
        for number, url in enumerate(visit.pick(delivered[visit.address])):
            stage.clock.move_to(sent_at + timedelta(seconds=visit.at_s + number * visit.pause_s))
            _request(visit, url)
            hits += url.startswith(f"{stage.site}/t/")
    return hits


def _request(visit: Visit, url: str) -> None:
    reply = visit.client.request(url, method=visit.method)
    if reply.status != (302 if "/t/c/" in url else 200):
        raise RuntimeError(f"{visit.client.name} got {reply.status} for {url}")
    if "location" in reply.headers and visit.method == "GET":
        arrived = visit.client.request(reply.headers["location"])
        if arrived.status != 200:
            raise RuntimeError(f"{visit.client.name} was led to a page that answers {arrived.status}")


def _keep(stage: Stage, console: Console) -> None:
    stage.clock.release()
    stop = threading.Event()
    worker = threading.Thread(target=stage.tracker.worker.run, args=(stop,), name="mailnod-demo-worker", daemon=True)
    worker.start()
    console.print(
        f"[bold]The app runs at [link={stage.site}/]{stage.site}/[/link][/bold]: read the delivered mail there, click "
        "its links, send one more.\nHits are judged while you watch. Ctrl-C ends it."
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Stopped.")
    finally:
        stop.set()
        worker.join(timeout=10)


def _choose_database(database: Path | None) -> Path:
    if database is None:
        return Path(tempfile.mkdtemp(prefix="mailnod-demo-")) / "mailnod.db"
    if database.exists():
        raise ConfigurationError(
            f"--database: there is something at {str(database)!r} already, and the demo wants a store of its own; "
            "name another path"
        )
    return database


def _step(console: Console, text: str) -> None:
    console.print(f"[green]✓[/green] {text}")
