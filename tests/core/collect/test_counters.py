"""Counting across processes, and the page that shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mailnod.collect.counters import Counters
from mailnod.collect.metrics import write_metrics
from mailnod.collect.operations import Operations

OTHER = """
import os, sys
from pathlib import Path
from mailnod.collect.counters import Counters
counters = Counters(Path(sys.argv[1]))
counters.count("open", "recorded", 5)
counters.add_waiting(9)
counters.add_waiting(-2)
counters.note_withdrawals_read()
print("ready", flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


def test_counts_of_all_processes_are_one(tmp_path: Path) -> None:
    """Processes add up while they live; of one that was killed, what it has done stays and what it was doing goes."""
    counters = Counters(tmp_path)
    counters.count("open", "recorded")
    counters.count("click", "refused", 3)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        counts = counters.read()
        assert counts.hits["open", "recorded"] == 6
        assert counts.hits["click", "refused"] == 3
        assert counts.waiting == 7
        assert counts.withdrawals_age_s is not None
    counts = counters.read()
    assert counts.hits["open", "recorded"] == 6
    assert counts.waiting == 0
    assert counts.withdrawals_age_s is None


def test_commits_fall_into_buckets() -> None:
    """A commit counts in the first bucket that it fits, one that took seconds in the last."""
    counters = Counters()
    for took_s in (0.0001, 0.0005, 0.003, 60.0):
        counters.count_commit(took_s)
    counts = counters.read()
    assert (counts.commits[0], counts.commits[3], counts.commits[-1], sum(counts.commits)) == (2, 1, 1, 4)
    assert round(counts.commit_s, 4) == 60.0036
    page = write_metrics(counts).decode()
    assert 'mailnod_commit_seconds_bucket{le="0.005"} 3\n' in page
    assert 'mailnod_commit_seconds_bucket{le="+Inf"} 4\n' in page
    assert "mailnod_commit_seconds_sum 60.003600000\n" in page


def test_counts_need_no_folder_that_works(tmp_path: Path) -> None:
    """Where a folder cannot be written, a process counts for itself, and collecting goes on."""
    counters = Counters(tmp_path / "missing")
    counters.count("open", "recorded")
    counters.set_spooled(4)
    assert counters.read().hits["open", "recorded"] == 0
    assert Counters().read().waiting == 0


def test_child_of_a_fork_counts_for_itself(tmp_path: Path) -> None:
    """A process that was forked counts in a file of its own, and nothing is counted twice."""
    counters = Counters(tmp_path)
    counters.count("open", "recorded")
    if not (pid := os.fork()):
        counters.count("open", "recorded", 2)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert counters.read().hits["open", "recorded"] == 3


def test_readiness_names_its_reasons() -> None:
    """Trouble is 503 with every reason in JSON; health does not ask for any."""
    troubles = ["hits are lost"]
    operations = Operations(find_troubles=lambda: troubles)
    reply = operations.reply("GET", "/-/ready")
    assert (reply.status, reply.body) == (503, b'{"status": "unavailable", "reasons": ["hits are lost"]}\n')
    assert operations.reply("GET", "/-/health").status == 200
    troubles.clear()
    reply = operations.reply("GET", "/-/ready")
    assert (reply.status, reply.body) == (200, b'{"status": "ready", "reasons": []}\n')
    assert operations.reply("POST", "/-/ready").status == 405
    assert "/-/metrics" not in operations.paths
