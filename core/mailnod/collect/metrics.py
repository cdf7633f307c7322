"""Write counts as Prometheus reads them: text exposition format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from mailnod.collect.counters import BUCKETS_S, Counts

__all__ = ["CONTENT_TYPE", "write_metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def write_metrics(counts: Counts) -> bytes:
    """Return the page that a Prometheus server scrapes."""
    return "".join(f"{line}\n" for line in _list_lines(counts)).encode()


def _list_lines(counts: Counts) -> Iterator[str]:
    yield from _head("mailnod_hits_total", "counter", "Requests for pixels and links, by what became of them.")
    for (kind, outcome), number in counts.hits.items():
        yield f'mailnod_hits_total{{kind="{kind}",outcome="{outcome}"}} {number}'
    yield from _head("mailnod_spooled_total", "counter", "Hits that went elsewhere because the journal took too long.")
    yield f"mailnod_spooled_total {counts.spooled}"
    yield from _head("mailnod_commit_seconds", "histogram", "How long the synced write of one hit or of several took.")
    sums = list(accumulate(counts.commits))
    for bound, number in zip((*BUCKETS_S, "+Inf"), sums, strict=True):
        yield f'mailnod_commit_seconds_bucket{{le="{bound}"}} {number}'
    yield f"mailnod_commit_seconds_sum {counts.commit_s:.9f}"
    yield f"mailnod_commit_seconds_count {sums[-1]}"
    yield from _head("mailnod_hits_waiting", "gauge", "Hits that wait for their write now.")
    yield f"mailnod_hits_waiting {counts.waiting}"
    if counts.withdrawals_age_s is not None:
        yield from _head("mailnod_withdrawals_age_seconds", "gauge", "Age of the oldest set of withdrawals in memory.")
        yield f"mailnod_withdrawals_age_seconds {counts.withdrawals_age_s:.3f}"


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
