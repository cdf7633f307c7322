"""Tests of the rules that read what happened around a hit."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mailnod.judge.classify import Judge
from mailnod.model import HONEYPOT_INDEX, Classification, Observation, Verdict, Window

HOME = "84.10.20.30"
CLOUD = "52.1.2.3"


@pytest.fixture
def click(
    observe: Callable[..., Observation], chrome: str, chrome_headers: dict[str, str]
) -> Callable[..., Observation]:
    """Make a click that looks a person's in every header."""

    def make(after_s: float, link: int = 0, *, ip: str = HOME, delivery: int = 1) -> Observation:
        return observe(chrome, headers=chrome_headers, ip=ip, after_s=after_s, link=link, delivery=delivery)

    return make


@pytest.fixture
def opened(
    observe: Callable[..., Observation], chrome: str, chrome_headers: dict[str, str]
) -> Callable[..., Observation]:
    """Make an open that looks a person's in every header."""
    headers = {**chrome_headers, "accept": "image/avif,image/webp,image/*,*/*;q=0.8", "sec-fetch-dest": "image"}

    def make(after_s: float, *, ip: str = HOME, delivery: int = 1) -> Observation:
        return observe(chrome, kind="open", headers=headers, ip=ip, after_s=after_s, delivery=delivery)

    return make


def test_every_link_at_once_unread_is_a_scanner(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation]
) -> None:
    """A burst over all links condemns its first click too, however good the headers are."""
    verdicts = judge_all(*(click(600 + link * 0.5, link) for link in range(5)))
    assert {verdict.classification for verdict in verdicts} == {Classification.SECURITY_SCANNER}
    assert all("window.burst" in verdict.reason_codes for verdict in verdicts)


def test_tabs_of_a_reader_are_no_burst(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation], opened: Callable[..., Observation]
) -> None:
    """Who loaded the mail may open most of its links in tabs within seconds."""
    verdicts = judge_all(opened(860), *(click(900 + link * 1.2, link) for link in range(4)), links=6)
    assert not any(verdict.machine for verdict in verdicts)


@pytest.mark.parametrize(
    ("agent", "ip"),
    [
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "66.249.84.1"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "98.138.1.1"),
    ],
)
def test_tabs_of_a_reader_whose_mailbox_fetches_images_are_no_burst(
    judge_all: Callable[..., list[Verdict]],
    click: Callable[..., Observation],
    observe: Callable[..., Observation],
    agent: str,
    ip: str,
) -> None:
    """A proxy that asks when somebody reads shows the mail to whoever clicks next, but to no server."""
    shown = observe(agent, kind="open", headers={}, ip=ip, after_s=860)
    tabs = judge_all(shown, *(click(900 + link * 1.2, link) for link in range(5)))
    assert not any(verdict.machine for verdict in tabs)
    servers = judge_all(shown, *(click(900 + link * 1.2, link, ip=CLOUD) for link in range(5)))
    assert [verdict.machine for verdict in servers] == [False] + [True] * 5


def test_open_whose_evidence_was_erased_may_be_the_readers(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation], observe: Callable[..., Observation]
) -> None:
    """Where nobody knows any more who loaded the mail, its reader's tabs are no burst, and a server's still are."""
    erased = observe(None, kind="open", after_s=860)
    assert not any(verdict.machine for verdict in judge_all(erased, *(click(900 + n, n) for n in range(5)))[1:])
    assert all(verdict.machine for verdict in judge_all(erased, *(click(900 + n, n, ip=CLOUD) for n in range(5)))[1:])


def test_office_whose_mailboxes_fetch_images_is_no_appliance(
    judge: Judge,
    click: Callable[..., Observation],
    observe: Callable[..., Observation],
    look_around: Callable[..., Window],
) -> None:
    """Colleagues with one browser and one address are people where a mailbox's proxy loaded their mails."""
    proxy = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    clicks = [click(3600 + number, delivery=number) for number in range(1, 5)]
    shown = observe(proxy, kind="open", headers={}, ip="66.249.84.1", after_s=3580, delivery=1)
    assert judge.classify(clicks[0], look_around(*clicks)).machine
    assert not judge.classify(clicks[0], look_around(shown, *clicks)).machine


def test_what_a_browser_fetches_ahead_says_nothing_of_its_person(
    judge_all: Callable[..., list[Verdict]],
    click: Callable[..., Observation],
    observe: Callable[..., Observation],
    chrome: str,
    chrome_headers: dict[str, str],
) -> None:
    """A browser that prefetches every link, the hidden one included, leaves its person's click a person's."""
    ahead = {**chrome_headers, "sec-purpose": "prefetch;prerender"}
    links = (0, 1, 2, HONEYPOT_INDEX)
    fetched = [observe(chrome, headers=ahead, ip=HOME, after_s=900 + n / 10, link=link) for n, link in enumerate(links)]
    verdicts = judge_all(*fetched, click(902), links=3)
    assert [verdict.machine for verdict in verdicts] == [True] * 4 + [False]
    assert verdicts[-1].reason_codes == ("header.complete",)


def test_two_links_within_a_second_of_delivery_are_a_scanner(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation]
) -> None:
    """Nobody reads a mail and follows two links within a second, seconds after delivery."""
    verdicts = judge_all(click(20, 0), click(20.8, 1))
    assert all(verdict.machine for verdict in verdicts)


def test_an_open_within_a_burst_is_the_scanners(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation], opened: Callable[..., Observation]
) -> None:
    """A sandbox loads the images of the mail whose links it follows: that excuses nothing and is no open."""
    verdicts = judge_all(opened(8), *(click(9 + link * 0.5, link) for link in range(5)))
    assert [verdict.machine for verdict in verdicts] == [True] * 6
    assert "window.burst_open" in verdicts[0].reason_codes


def test_hits_without_an_address_are_not_one_client(
    judge: Judge, observe: Callable[..., Observation], look_around: Callable[..., Window], chrome: str
) -> None:
    """An address that was not captured joins nobody to anybody across recipients."""
    clicks = [observe(chrome, after_s=9 + number, delivery=number) for number in range(1, 7)]
    window = look_around(*clicks)
    assert not any(judge.classify(one, window).machine for one in clicks)


def test_a_double_tap_is_a_person(judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation]) -> None:
    """The same link twice is no burst."""
    assert not any(verdict.machine for verdict in judge_all(click(900, 1), click(900.6, 1)))


def test_one_address_for_many_unread_mails_is_a_scanner(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation]
) -> None:
    """An appliance acts for many recipients within seconds and loads no mail before."""
    verdicts = judge_all(*(click(9 + number, delivery=number) for number in range(1, 7)))
    assert all("window.across_recipients" in verdict.reason_codes for verdict in verdicts)


def test_colleagues_behind_one_address_are_people(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation], opened: Callable[..., Observation]
) -> None:
    """A rush behind a corporate NAT is told from an appliance by the mails that were loaded before."""
    loads = [opened(560 + number, delivery=number) for number in range(1, 5)]
    verdicts = judge_all(*loads, *(click(600 + number, delivery=number) for number in range(1, 5)))
    assert not any(verdict.machine for verdict in verdicts)


def test_colleagues_without_images_are_told_by_their_browsers(
    judge_all: Callable[..., list[Verdict]], observe: Callable[..., Observation], chrome_headers: dict[str, str]
) -> None:
    """Long after sending, several browsers behind one address are several people, though no mail was loaded."""
    agent = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
    )
    clicks = [
        observe(
            agent.format(137 + number),
            headers={**chrome_headers, "sec-ch-ua": f'"Chromium";v="{137 + number}"'},
            ip=HOME,
            after_s=7200 + number,
            delivery=number,
        )
        for number in range(1, 6)
    ]
    assert not any(verdict.machine for verdict in judge_all(*clicks))


def test_a_slow_walk_through_every_link_is_a_scanner(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation]
) -> None:
    """Every link once from a rented server, never an open: a scanner that takes its time."""
    verdicts = judge_all(*(click(300 + link * 40, link, ip=CLOUD) for link in range(5)))
    assert all("window.every_link_unread" in verdict.reason_codes for verdict in verdicts)
    # It shows nothing else of a scanner, so that it may be another machine.
    assert {str(verdict.classification) for verdict in verdicts} == {"suspicious"}


def test_a_scanner_does_not_taint_the_person_after_it(
    judge_all: Callable[..., list[Verdict]],
    observe: Callable[..., Observation],
    click: Callable[..., Observation],
    chrome: str,
) -> None:
    """What a gateway did before says nothing of the person who comes from another network."""
    scans = [observe(chrome, ip=CLOUD, headers={"accept": "*/*"}, after_s=5 + link, link=link) for link in range(5)]
    verdicts = judge_all(*scans, click(4000))
    assert [verdict.machine for verdict in verdicts] == [True] * 5 + [False]


def test_a_probe_before_a_browser_leaves_the_person(
    judge_all: Callable[..., list[Verdict]],
    observe: Callable[..., Observation],
    click: Callable[..., Observation],
    chrome: str,
) -> None:
    """HEAD is the machine; the browser's GET that follows is the person."""
    probe = observe(chrome, method="HEAD", ip=HOME, after_s=3000)
    assert [verdict.machine for verdict in judge_all(probe, click(3001))] == [True, False]


def test_a_copied_click_from_a_second_network_is_a_machine(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation], opened: Callable[..., Observation]
) -> None:
    """A rented server that repeats a person's click seconds later shadows it; the person's own click stands."""
    verdicts = judge_all(opened(880), click(900), click(912, ip=CLOUD))
    assert [verdict.machine for verdict in verdicts] == [False, False, True]
    assert "window.shadow_click" in verdicts[2].reason_codes


def test_an_open_from_the_same_rented_server_tells_of_a_remote_desktop(
    judge_all: Callable[..., list[Verdict]], click: Callable[..., Observation], opened: Callable[..., Observation]
) -> None:
    """Who loads the mail and follows one link later from the same address sits at a remote desktop."""
    assert not judge_all(opened(2000, ip="20.70.1.1"), click(2030, ip="20.70.1.1"))[1].machine


def test_a_flood_is_judged_in_time(
    judge: Judge, observe: Callable[..., Observation], look_around: Callable[..., Window], chrome: str
) -> None:
    """Tens of thousands of hits on one mail cost each verdict one pass over them."""
    flood = [
        observe(chrome, kind="open" if number % 2 else "click", ip=HOME, after_s=number / 1e4, link=number)
        for number in range(20_000)
    ]
    window = look_around(*flood)
    started = time.perf_counter()
    for one in flood[:2]:
        judge.classify(one, window)
    assert time.perf_counter() - started < 5
