"""Tests of the file that lists are packed into, and of how the judge follows it."""

from __future__ import annotations

import hashlib
import logging
import os
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.errors import NetworksError
from mailnod.judge.atlas import Atlas
from mailnod.judge.classify import Judge
from mailnod.judge.networks import Part, join_prefixes
from mailnod.judge.packed import pack, read_packed, unpack, write_packed
from mailnod.model import Observation, Window

MOMENT = datetime(2026, 9, 1, 9, 30, tzinfo=UTC)


def make_part(*prefixes: str, name: str = "amazon") -> Part:
    """Make the part of a list."""
    return Part(name=name, source="https://list.example", fetched_at=MOMENT, rows=7, intervals=join_prefixes(prefixes))


SOME = (make_part("8.8.8.0/24", "2600::/32"), make_part("1.1.1.0/24", name="linode"))


@given(st.lists(st.lists(st.ip_addresses().map(str), max_size=20), max_size=4))
def test_parts_come_back_as_they_were(lists: list[list[str]]) -> None:
    """Whatever intervals the parts have, of both families, the file gives them back."""
    parts = [make_part(*prefixes, name=f"list {number}") for number, prefixes in enumerate(lists)]
    assert unpack(pack(parts)) == parts


def test_no_file_has_no_parts(tmp_path: Path) -> None:
    """That nothing was fetched yet is no error."""
    assert read_packed(tmp_path / "none") == []


def test_damage_is_noticed_wherever_it_is() -> None:
    """A flipped bit or a missing end never gives other networks."""
    content = pack(SOME)
    for place in range(len(content)):
        with pytest.raises(NetworksError):
            unpack(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(NetworksError):
            unpack(content[:place])


LONG = b'[{"name":"a","source":"","fetched_at":"2026-09-01T00:00:00+00:00","rows":1,"intervals":99999999999}]'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\0\0\0007",
        b"\2\0\0\0[]" + bytes(80 << 20),
        b'\4\0\0\0[{}]"',
        b"\xff\xff\xff\xff",
        len(LONG).to_bytes(4, "little") + LONG,
    ],
    ids=["empty", "no list", "bomb", "no keys", "no head", "too short"],
)
def test_content_that_makes_no_sense_is_refused(data: bytes) -> None:
    """A file with a right checksum that this version did not write is refused too, and unpacks to nothing huge."""
    packed = zlib.compress(data)
    with pytest.raises(NetworksError):
        unpack(b"MAILNODNETWORKS\x01" + hashlib.sha256(packed).digest() + packed)


def test_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The new file stands where the old one stood, and nothing else is left behind."""
    path = tmp_path / "networks"
    write_packed(path, SOME[:1])
    write_packed(path, SOME)
    assert read_packed(path) == list(SOME)
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """A folder in the way is an error in words, and no draft stays."""
    path = tmp_path / "networks"
    path.mkdir()
    with pytest.raises(NetworksError, match="cannot be written"):
        write_packed(path, SOME)
    assert list(tmp_path.iterdir()) == [path]


def test_newer_file_is_taken_up(tmp_path: Path) -> None:
    """What a list says counts as soon as it is there, without a restart, and is gone with the file."""
    path = tmp_path / "networks"
    atlas = Atlas(path, recheck_s=0)
    assert atlas.find("84.1.1.1") is None
    for _ in range(2):
        write_packed(path, [make_part("84.1.0.0/16")])
        atlas.refresh()
        assert atlas.find("84.1.1.1") == "cloud"
    path.unlink()
    atlas.refresh()
    assert atlas.find("84.1.1.1") is None


def test_file_is_not_looked_at_for_every_hit(tmp_path: Path) -> None:
    """Between two looks the map that is in force goes on."""
    path = tmp_path / "networks"
    atlas = Atlas(path, recheck_s=3600)
    atlas.refresh()
    write_packed(path, [make_part("84.1.0.0/16")])
    atlas.refresh()
    assert atlas.find("84.1.1.1") is None


def test_unusable_file_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The built-in networks are used then, and the log has one line however often the file is met."""
    path = tmp_path / "networks"
    path.write_bytes(b"nonsense")
    with caplog.at_level(logging.WARNING):
        atlas = Atlas(path, recheck_s=0)
        for _ in range(3):
            atlas.refresh()
    assert atlas.find("52.1.1.1") == "cloud"
    (line,) = [record.message for record in caplog.records if "is not used" in record.message]
    assert "no file of packed networks" in line
    write_packed(path, SOME)
    atlas.refresh()
    assert atlas.find("52.1.1.1") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root: may read everything")
def test_unreadable_file_falls_back(tmp_path: Path) -> None:
    """A file of another user is as good as none."""
    path = tmp_path / "networks"
    write_packed(path, SOME)
    path.chmod(0)
    assert Atlas(path).find("52.1.1.1") == "cloud"


def test_judge_reads_the_file(
    tmp_path: Path, observe: Callable[..., Observation], look_around: Callable[..., Window], chrome: str
) -> None:
    """A click from a network that only the list knows is judged by it."""
    path = tmp_path / "networks"
    write_packed(path, [make_part("84.1.0.0/16")])
    click = observe(chrome, ip="84.1.1.1", headers={"accept": "*/*"}, after_s=2)
    codes = Judge(networks=path).classify(click, look_around(click)).reason_codes
    assert "ip.cloud" in codes
    assert "ip.cloud" not in Judge().classify(click, look_around(click)).reason_codes
