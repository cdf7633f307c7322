"""Who follows the hidden link of a mail, and what that says of their other hits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mailnod.judge.classify import Judge
from mailnod.model import HONEYPOT_INDEX, Classification, Observation, Verdict, Window

HOME, CLOUD = "84.10.20.30", "52.1.2.3"
Act = Callable[..., Observation]
JudgeAll = Callable[..., list[Verdict]]


@pytest.fixture
def act(observe: Callable[..., Observation], chrome: str, chrome_headers: dict[str, str]) -> Act:
    """Make a hit that looks a person's in every header: of a link, of the hidden one, or of the pixel."""

    def make(after_s: float, what: int | str, *, ip: str | None = HOME, agent: str = chrome) -> Observation:
        if what == "open":
            headers = {**chrome_headers, "accept": "image/avif,image/webp,image/*,*/*;q=0.8", "sec-fetch-dest": "image"}
            return observe(agent, kind="open", headers=headers, ip=ip, after_s=after_s)
        link = HONEYPOT_INDEX if what == "trap" else what
        return observe(agent, headers=chrome_headers, ip=ip, after_s=after_s, link=link)

    return make


@pytest.fixture
def judge_all(judge: Judge, look_around: Callable[..., Window]) -> JudgeAll:
    """Judge every observation of a sequence with all of it in sight."""

    def judge_them(*observations: Observation) -> list[Verdict]:
        window = look_around(*observations)
        return [judge.classify(one, window) for one in observations]

    return judge_them


def classes(verdicts: list[Verdict]) -> list[str]:
    return [verdict.classification.value for verdict in verdicts]


@pytest.mark.parametrize("after_s", [8, 3600])
def test_hidden_link_alone_is_a_scanners(judge_all: JudgeAll, act: Act, after_s: float) -> None:
    """Nobody who did nothing else in the mail comes upon a hidden link, whatever the headers."""
    (verdict,) = judge_all(act(after_s, "trap"))
    assert (verdict.classification, verdict.machine) == (Classification.SECURITY_SCANNER, True)
    assert verdict.reason_codes[0] == "window.honeypot"


def test_what_a_scanner_does_around_it_is_the_scanners_too(judge_all: JudgeAll, act: Act) -> None:
    """Clicks and opens of the same client within ten seconds before and after are marked, earlier ones are not."""
    verdicts = judge_all(
        act(580, 1), act(591, 0), act(592, "open"), act(600, "trap"), act(609, 2), act(612, 3), act(700, "open")
    )
    assert ["window.honeypot" in verdict.reason_codes for verdict in verdicts] == [
        False,
        True,
        True,
        True,
        True,
        False,
        False,
    ]
    assert verdicts[1].classification is Classification.SECURITY_SCANNER


@pytest.mark.parametrize("other", [{"ip": "77.20.1.1"}, {"agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0"}])
def test_others_are_not_marked(judge_all: JudgeAll, act: Act, other: dict[str, str]) -> None:
    """Another network, or another browser of the same one, is another client."""
    trap, click = judge_all(act(20, "trap"), act(22, 0, **other))
    assert trap.machine
    assert "window.honeypot" not in click.reason_codes


def test_neighbouring_address_is_the_same_client(judge_all: JudgeAll, act: Act) -> None:
    """A scanner that spreads over the addresses of one network is marked as one."""
    assert all(verdict.machine for verdict in judge_all(act(20, "trap", ip="84.10.20.31"), act(22, 0)))


def test_without_addresses_the_agent_tells(judge_all: JudgeAll, act: Act) -> None:
    """Where no address was captured, the same agent on the same mail is the same client."""
    assert all(verdict.machine for verdict in judge_all(act(20, "trap", ip=None), act(22, 0, ip=None)))


def test_screen_reader_that_opened_the_mail_is_a_person(judge_all: JudgeAll, act: Act) -> None:
    """Long after delivery, at a reader's pace, in a mail that was opened: a person, unsure, and counted nowhere."""
    opened, trap, click = judge_all(act(400, "open"), act(430, "trap"), act(445, 0))
    assert trap.classification is Classification.UNVERIFIED_CLICK
    assert (trap.machine, trap.counts_for_metrics, trap.counted_as) == (False, False, None)
    assert 30 <= trap.probability < 50
    assert "link.honeypot_read" in trap.reason_codes
    assert (opened.counted_as, click.counted_as) == ("human", "human")
    assert classes([opened, click]) == ["genuine", "genuine"]


def test_screen_reader_without_images_reads_on(judge_all: JudgeAll, act: Act) -> None:
    """Where images are off, going on to a link in a reader's time tells, and only when it has happened."""
    trap, click = act(430, "trap"), act(445, 0)
    assert [verdict.machine for verdict in judge_all(trap)] == [True]
    assert [verdict.machine for verdict in judge_all(trap, click)] == [False, False]


@pytest.mark.parametrize(
    "hits",
    [
        [(10, "open"), (20, "trap")],
        [(400, "open"), (403, "trap")],
        [(400, "open"), (430, "trap"), (432, 0)],
        [(400, "open"), (422, 1), (430, "trap"), (438, 0)],
    ],
)
def test_haste_is_no_readers(judge_all: JudgeAll, act: Act, hits: list[tuple[float, int | str]]) -> None:
    """Early, right after the open, right before another link, or amid several: a scanner with images."""
    verdicts = judge_all(*(act(after_s, what) for after_s, what in hits))
    trap = next(verdict for (_, what), verdict in zip(hits, verdicts, strict=True) if what == "trap")
    assert trap.machine


def test_double_tap_is_a_readers_and_more_are_not(judge_all: JudgeAll, act: Act) -> None:
    """Twice within seconds may be a person's; three times is a program's."""
    hits = [act(400, "open"), act(430, "trap"), act(431, "trap")]
    assert [verdict.machine for verdict in judge_all(*hits)] == [False, False, False]
    assert [verdict.machine for verdict in judge_all(*hits, act(432, "trap"))] == [False, True, True, True]


def test_flood_of_hidden_links_is_judged_in_time(judge_all: JudgeAll, act: Act) -> None:
    """A window full of them costs no more than one full of others; the limit is generous and guards against a hang."""
    start = time.perf_counter()
    verdicts = judge_all(act(400, "open"), *(act(430 + number / 100, "trap") for number in range(199)))
    assert all(verdict.machine for verdict in verdicts[1:])
    assert time.perf_counter() - start < 30


def test_server_is_no_reader(judge_all: JudgeAll, act: Act) -> None:
    """From a rented server the hidden link is a sandbox's, at whatever pace."""
    verdicts = judge_all(act(400, "open", ip=CLOUD), act(430, "trap", ip=CLOUD), act(500, 0, ip=CLOUD))
    assert verdicts[1].machine


def test_hidden_link_is_no_link_of_a_walk(judge_all: JudgeAll, act: Act) -> None:
    """The count of links knows no hidden one, so that what a walk is stays the same."""
    walk = [act(700 + 30 * link, link, ip=CLOUD) for link in range(5)]
    verdicts = judge_all(*walk, act(900, "trap", ip=CLOUD))
    assert all("window.every_link_unread" in verdict.reason_codes for verdict in verdicts[:5])
