"""``mailnod networks``: lists of networks from a folder, from publishers, packed and asked."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with two downloaded lists, one in its publisher's form and one plain."""
    folder = tmp_path / "lists"
    folder.mkdir()
    rows = [{"ipv4Prefix": f"34.{number}.0.0/17"} for number in range(60)]
    (folder / "cloud.json").write_text(json.dumps({"prefixes": rows}))
    (folder / "linode-ipv4.txt").write_text("".join(f"45.{number}.0.0/17\n" for number in range(100)))
    return folder


def update(run: Run, *arguments: str | Path, exit_code: int = 0) -> dict[str, dict[str, Any]]:
    """Update, and return what became of each list."""
    result = run("networks", "update", "--json", *map(str, arguments))
    assert result.exit_code == exit_code, result.output
    return {row["name"]: row for row in json.loads(result.stdout)["lists"]}


def test_lists_come_from_a_folder(run: Run, folder: Path, environ: dict[str, str]) -> None:
    """Both forms are taken, what the folder does not hold is said, and the file lies beside the database."""
    outcomes = update(run, "--from-folder", folder)
    assert {name: row["rows"] for name, row in outcomes.items() if row["outcome"] == "taken"} == {
        "google-cloud": 60,
        "linode": 100,
    }
    assert outcomes["amazon"]["detail"] == "the folder holds no ip-ranges*.json and no amazon-ipv4.txt"
    assert Path(environ["MAILNOD_DATABASE"] + ".networks").is_file()


def test_setting_names_the_file(run: Run, folder: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """Several apps may share one file."""
    environ["MAILNOD_NETWORKS"] = str(tmp_path / "shared.networks")
    update(run, "--from-folder", folder)
    assert (tmp_path / "shared.networks").is_file()


def test_file_may_be_called_anything(run: Run, folder: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """A name that reads like markup is shown as it is, and steers nothing."""
    environ["MAILNOD_NETWORKS"] = str(tmp_path / "[red]\x1b[31m[")
    assert run("networks", "update", "--from-folder", str(folder)).exit_code == 0
    shown = run("networks", "show")
    assert shown.exit_code == 0
    assert "[red]\N{REPLACEMENT CHARACTER}[31m[" in shown.stdout.replace("\n", "")


def test_newest_of_several_downloads_is_taken(run: Run, folder: Path) -> None:
    """The publisher's file names hold dates, and the last one counts."""
    for day, name in (("01", "4"), ("08", "20")):
        tags = [{"properties": {"addressPrefixes": [f"{name}.{number}.0.0/16" for number in range(120)]}}]
        (folder / f"ServiceTags_Public_202609{day}.json").write_text(json.dumps({"values": tags}))
    update(run, "--from-folder", folder, "--only", "microsoft")
    assert run("networks", "find", "20.1.1.1").exit_code == 0
    assert run("networks", "find", "4.1.1.1").exit_code == 1


def test_refused_list_leaves_the_last_one(run: Run, folder: Path) -> None:
    """A hostile list is refused with its reason, exit code 1 says so, and the others are taken."""
    update(run, "--from-folder", folder)
    (folder / "linode-ipv4.txt").write_text("0.0.0.0/0\n" * 100)
    (folder / "cloud.json").write_text((folder / "cloud.json").read_text().replace("34.", "35."))
    outcomes = update(run, "--from-folder", folder, exit_code=1)
    assert outcomes["linode"]["outcome"] == "refused"
    assert "wider than any publisher's network" in outcomes["linode"]["detail"]
    assert "linode" in run("networks", "find", "45.3.1.1").stdout
    assert "google-cloud" in run("networks", "find", "35.3.1.1").stdout


def test_shrunk_list_is_taken_where_one_insists(run: Run, folder: Path) -> None:
    """A publisher may really have given networks away."""
    update(run, "--from-folder", folder)
    (folder / "linode-ipv4.txt").write_text("".join(f"45.{number}.0.0/17\n" for number in range(49)) + "# cut")
    only = ("--from-folder", folder, "--only", "linode")
    assert "less than 50 is not plausible" in update(run, *only, exit_code=1)["linode"]["detail"]
    (folder / "linode-ipv4.txt").write_text(
        "".join(f"45.{number}.0.0/16\n" for number in range(0, 98, 2)) + "9.9.9.9\n"
    )
    update(run, *only)
    (folder / "linode-ipv4.txt").write_text("".join(f"45.3.{number}.0/24\n" for number in range(50)))
    assert "--accept-fewer" in update(run, *only, exit_code=1)["linode"]["detail"]
    assert update(run, *only, "--accept-fewer")["linode"]["outcome"] == "taken"


@pytest.mark.parametrize("name", ["empty", "strange"])
def test_folder_without_lists_is_a_failure(run: Run, tmp_path: Path, name: str) -> None:
    """Nothing was taken, so exit code 1; files that are called otherwise are named."""
    folder = tmp_path / name
    folder.mkdir()
    if name == "strange":
        (folder / "networks.xlsx").write_bytes(b"")
    result = run("networks", "update", "--from-folder", str(folder))
    assert result.exit_code == 1
    assert ("networks.xlsx" in result.stderr) is (name == "strange")
    assert not list(tmp_path.glob("*.networks"))


def test_file_that_is_no_text_is_refused(run: Run, folder: Path) -> None:
    """Bytes that are no UTF-8 are no list."""
    (folder / "linode-ipv4.txt").write_bytes(b"\xff\xfe" * 1000)
    assert "no UTF-8 text" in update(run, "--from-folder", folder, exit_code=1)["linode"]["detail"]


def test_unreachable_publisher_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Without a way out the command ends with 1, says why, and what was known stays."""
    update(run, "--from-folder", folder)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        # Nobody listens there, so that no request leaves this machine.
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        outcomes = update(run, "--only", "linode", exit_code=1)
    assert "cannot be reached" in outcomes["linode"]["detail"]
    assert run("networks", "find", "45.3.1.1").exit_code == 0


def test_lists_are_shown_with_their_age(run: Run, folder: Path, clock: Any) -> None:
    """A list from a file is as old as the file."""
    day = clock.now().timestamp() - 3 * 86_400
    for path in folder.iterdir():
        os.utime(path, (day, day))
    assert "mailnod networks update" in run("networks", "show").stdout
    update(run, "--from-folder", folder)
    rows = json.loads(run("networks", "show", "--json").stdout)["lists"]
    assert [(row["name"], row["rows"], row["blocks"], row["age_days"]) for row in rows] == [
        ("google-cloud", 60, 60, 3),
        ("linode", 100, 100, 3),
    ]
    shown = run("networks", "show", width=80).stdout
    assert "google-cloud " in shown
    assert "days old" in shown


def test_address_is_named(run: Run) -> None:
    """An address of a known network has a name, a label and a source; another ends with 1, what is none with 2."""
    found = json.loads(run("networks", "find", "::ffff:52.1.1.1", "--json").stdout)
    assert found["ip"] == "52.1.1.1"
    assert (found["network"]["name"], found["network"]["label"]) == ("amazon", "cloud")
    assert "built in" in run("networks", "find", "52.1.1.1").stdout
    assert run("networks", "find", "84.1.1.1").exit_code == 1
    assert run("networks", "find", "nowhere").exit_code == 2


def test_damaged_file_is_said_and_made_anew(run: Run, folder: Path, environ: dict[str, str]) -> None:
    """Looking at a damaged file is an error; updating replaces it."""
    Path(environ["MAILNOD_DATABASE"] + ".networks").write_bytes(b"nonsense")
    assert run("networks", "show").exit_code == 1
    assert "no file of packed networks" in run("networks", "show").stderr
    result = run("networks", "update", "--from-folder", str(folder))
    assert result.exit_code == 0
    assert "made anew" in result.stderr
    assert run("networks", "show").exit_code == 0


def test_published_snapshots_are_packed(run: Run, shared: Path, environ: dict[str, str]) -> None:
    """Real lists come down to a small file."""
    outcomes = update(run, "--from-folder", shared / "data" / "networks")
    assert sum(row["outcome"] == "taken" for row in outcomes.values()) == 9
    assert Path(environ["MAILNOD_DATABASE"] + ".networks").stat().st_size < 100_000
    assert "apple_relay" in run("networks", "find", "104.28.28.66").stdout
