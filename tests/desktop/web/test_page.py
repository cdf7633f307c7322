"""A shown mail runs nothing, leads nowhere, and says what a person does with it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from .conftest import SVG, Canary, Pane

RED = "background:#ff0000;width:60px;height:60px;display:block"


def click(pane: Pane, x: int, y: int, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
    """Click into the page."""
    target = pane.surface.view.focusProxy()
    assert target is not None
    QTest.mouseClick(target, button, Qt.KeyboardModifier.NoModifier, QPoint(x, y))


@pytest.mark.parametrize(
    "html",
    [
        "<script>document.title = 'ran'</script>",
        "<img src=x onerror=\"document.title='ran'\">",
        "<body onload=\"document.title='ran'\">",
        "<svg onload=\"document.title='ran'\"></svg>",
        "<iframe srcdoc=\"<script>parent.document.title='ran'</script>\"></iframe>",
        "<iframe src=\"javascript:parent.document.title='ran'\"></iframe>",
        "<details open ontoggle=\"document.title='ran'\"></details>",
        "<style onload=\"document.title='ran'\"></style>",
    ],
)
def test_scripts_of_a_mail_do_not_run(html: str, pane: Pane) -> None:
    """No script in whatever place changes anything."""
    pane.begin()
    pane.show(f"<title>still</title>{html}", key="mail")
    assert pane.ask("document.title") == "still"
    pane.show(f"<title>still</title>{html}<p>", key="mail")
    assert pane.ask("document.title") == "still"


@pytest.mark.parametrize(
    "href", ["file:///etc/hostname", "qrc:/qtwebchannel/qwebchannel.js", "chrome://gpu", "about:blank"]
)
def test_local_files_and_inner_pages_are_not_loaded(href: str, pane: Pane) -> None:
    """A mail reaches neither the disk nor Chromium's own pages."""
    pane.begin(allowed=True)
    pane.show(f'<img src="{href}"><iframe src="{href}"></iframe><link rel="stylesheet" href="{href}"><p>still</p>')
    assert pane.ask("document.images[0].naturalWidth") == 0
    assert pane.ask("document.querySelector('p').textContent") == "still"
    assert pane.surface.page is not None
    assert pane.surface.page.url().scheme() == "mailnod-preview"


@pytest.mark.parametrize(
    "html",
    [
        '<meta http-equiv="refresh" content="0">',
        '<meta http-equiv="refresh" content="0; url=file:///etc/passwd">',
        '<meta http-equiv="refresh" content="0; url=mailnod-preview://original/1">',
        '<meta http-equiv="refresh" content="0; url=data:text/html,gone">',
    ],
)
def test_a_refresh_leads_nowhere(html: str, pane: Pane, qtbot: QtBot) -> None:
    """A mail that reloads or replaces itself stays as it is."""
    pane.begin()
    pane.show(f"{html}<p>still</p>")
    page = pane.surface.page
    assert page is not None
    address = page.url()
    pane.ask("document.readyState")
    assert pane.ask("document.querySelector('p').textContent") == "still"
    assert page.url() == address


def test_five_megabytes_are_shown(pane: Pane) -> None:
    """A mail of any size has its turn."""
    pane.begin()
    pane.surface.give_up_ms = 60_000
    pane.show("<p>" + "words and more words " * 250_000 + "<p id=last>last</p>")
    assert pane.ask("document.getElementById('last').textContent") == "last"


def test_what_keeps_the_engine_busy_for_ever_is_given_up(pane: Pane, qtbot: QtBot) -> None:
    """A hundred thousand nested elements are said to take too long, and the next mail is shown."""
    pane.begin()
    pane.surface.give_up_ms = 1_500
    pane.show("<div>" * 100_000)
    assert pane.surface.notes == ["takes too long to draw, and was given up"]
    pane.surface.give_up_ms = 20_000
    pane.show("<p>next</p>")
    assert pane.surface.notes == []
    assert pane.ask("document.querySelector('p').textContent") == "next"


def test_lone_surrogates_and_null_are_shown(pane: Pane) -> None:
    """Text that no encoding can say is shown as far as it can be."""
    pane.begin()
    pane.show("<p>a\ud800b\x00c")
    assert pane.ask("document.querySelector('p').textContent.length") >= 3


def test_parts_of_the_mail_are_shown(pane: Pane) -> None:
    """``cid:`` addresses find their part, whatever characters the Content-ID has."""
    pane.begin(inline={"logo@example.com": ("image/svg+xml", SVG), "a b%c": ("image/svg+xml", SVG)})
    pane.show('<img src="cid:logo@example.com"><img src="cid:a%20b%25c"><img src="cid:none">')
    widths = "[...document.images].map((image) => image.naturalWidth).join()"
    pane.wait_for(widths, "40,40,0")


def test_a_click_is_told_and_leads_nowhere(pane: Pane, qtbot: QtBot) -> None:
    """A clicked link says which one it was."""
    pane.begin()
    link = f'<a href="https://example.com/?a=1&amp;b=2" style="{RED}">x</a>'
    pane.show(link, links=((7, "https://example.com/?a=1&b=2"),))
    with qtbot.waitSignal(pane.surface.link_clicked, timeout=5000) as told:
        click(pane, 30, 30)
    assert told.args == [7, "https://example.com/?a=1&b=2"]
    assert pane.surface.page is not None
    assert pane.surface.page.url().scheme() == "mailnod-preview"


@pytest.mark.parametrize("more", ['target="_blank"', "download", 'ping="https://example.com/p"'])
def test_no_kind_of_link_opens_anything(more: str, pane: Pane, qtbot: QtBot) -> None:
    """New windows, downloads and pings are clicks like others."""
    pane.begin()
    pane.show(f'<a href="https://example.com/" {more} style="{RED}">x</a>')
    for button in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
        with qtbot.waitSignal(pane.surface.link_clicked, timeout=5000):
            click(pane, 30, 30, button)
    shown = [each for each in QApplication.topLevelWidgets() if each.isVisible()]
    assert shown == [pane.surface]


def test_the_second_of_equal_links_is_told_apart(pane: Pane, qtbot: QtBot) -> None:
    """Links with the same address are told apart by their order."""
    pane.begin()
    link = f'<a href="https://example.com/" style="{RED}">x</a>'
    pane.show(f"<body style='margin:0'>{link}{link}", links=((0, "https://example.com/"), (1, "https://example.com/")))
    with qtbot.waitSignal(pane.surface.link_clicked, timeout=5000) as told:
        click(pane, 30, 90)
    assert told.args is not None
    assert told.args[0] == 1


def test_a_link_within_a_drawing_is_told_with_its_address(pane: Pane, qtbot: QtBot) -> None:
    """SVG has links of its own kind, whose address is no text."""
    pane.begin()
    pane.show(
        '<body style="margin:0"><svg width=90 height=90><a href="https://example.com/s"><rect width=90 height=90>'
    )
    with qtbot.waitSignal(pane.surface.link_clicked, timeout=5000) as told:
        click(pane, 30, 30)
    assert told.args == [None, "https://example.com/s"]


def test_a_mail_that_forbids_our_script_to_replace_it_is_loaded_anew(pane: Pane) -> None:
    """A policy of the mail's own ("Trusted Types") keeps no later version of it from the screen."""
    policy = "<meta http-equiv=Content-Security-Policy content=\"require-trusted-types-for 'script'\">"
    pane.begin()
    pane.surface.give_up_ms = 5000
    pane.show(f"{policy}<p>one", key="same")
    pane.show(f"{policy}<p>two", key="same")
    assert pane.surface.notes == []
    pane.wait_for("document.querySelector('p').textContent", "two")


def test_the_link_below_the_mouse_is_told(pane: Pane, qtbot: QtBot) -> None:
    """Hovering says where a link leads."""
    pane.begin()
    pane.show(f'<a href="https://example.com/x" style="{RED}">x</a>')
    target = pane.surface.view.focusProxy()
    assert target is not None
    with qtbot.waitSignal(pane.surface.link_hovered, check_params_cb=bool, timeout=5000) as told:
        QTest.mouseMove(target, QPoint(30, 30))
    assert told.args == ["https://example.com/x"]


def test_the_menu_of_a_link_simulates_and_copies(pane: Pane, qtbot: QtBot) -> None:
    """A right click offers what can be done with a link, and nothing of a browser's."""
    pane.begin()
    pane.show(f'<a href="https://example.com/x" style="{RED}">x</a>', links=((4, "https://example.com/x"),))
    click(pane, 30, 30, Qt.MouseButton.RightButton)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu), timeout=5000)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    actions = {action.text(): action for action in menu.actions() if action.text()}
    own = ["Simulate a click", "Show in source diff", "Copy the link's address"]
    assert list(actions) == ["https://example.com/x", *own, "Select all"]
    actions["Copy the link's address"].trigger()
    assert QApplication.clipboard().text() == "https://example.com/x"
    with qtbot.waitSignal(pane.surface.simulate_requested) as told:
        actions["Simulate a click"].trigger()
    assert told.args == [4, "https://example.com/x"]
    with qtbot.waitSignal(pane.surface.source_requested) as asked:
        actions["Show in source diff"].trigger()
    assert asked.args == [4]
    menu.close()


def test_a_form_is_not_sent(canary: Canary, pane: Pane, qtbot: QtBot) -> None:
    """The button of a form does nothing, and is listed."""
    pane.begin(allowed=True)
    pane.show(f'<body style="margin:0"><form action="{canary.url}/f"><button style="{RED}">x</button></form>')
    click(pane, 30, 30)
    qtbot.waitUntil(lambda: bool(pane.refused), timeout=5000)
    assert pane.refused[0][0] == "form"
    assert canary.count() == (0, 0)


def test_a_client_that_inverts_darkens_a_light_mail(pane: Pane, qtbot: QtBot) -> None:
    """Inverting darkens a mail that knows nothing of dark mode."""
    pane.begin()
    pane.show("<body style='background:#ffffff'>x")
    pane.wait_for_colour("#ffffff")
    pane.surface.set_dark("invert")
    qtbot.waitUntil(lambda: pane.colour(400, 300) < "#404040", timeout=5000)
    pane.surface.set_dark("off")
    pane.wait_for_colour("#ffffff")


@pytest.mark.parametrize(
    "css",
    [
        "@media (prefers-color-scheme: dark) { body { background: #102030 !important } }",
        "@media screen and ( prefers-color-scheme:DARK ) { body { background: #102030 !important } }",
        "@media screen { @media (prefers-color-scheme: dark) { body { background: #102030 !important } } }",
        "@supports (color: red) { @media (prefers-color-scheme: dark) { body { background: #102030 !important } } }",
        ":root { color-scheme: light dark } body { background: light-dark(#ffffff, #102030) !important }",
    ],
)
def test_a_client_that_asks_the_mail_gets_its_dark_styles(css: str, pane: Pane, qtbot: QtBot) -> None:
    """Dark styles of the mail count in the one dark mode, and in no other."""
    pane.begin()
    pane.show(f"<style>body {{ background: #ffffff }} {css}</style>x")
    pane.wait_for_colour("#ffffff")
    pane.surface.set_dark("author")
    pane.wait_for_colour("#102030")
    assert pane.surface.notes == []
    pane.surface.set_dark("off")
    pane.wait_for_colour("#ffffff")


def test_a_mail_that_declares_both_schemes_gets_a_dark_ground(pane: Pane) -> None:
    """Without colours of its own, such a mail is light text on the client's dark ground."""
    pane.begin()
    pane.show('<meta name="color-scheme" content="light dark"><p>x')
    pane.wait_for_colour("#ffffff")
    pane.surface.set_dark("author")
    pane.wait_for_colour("#121212")
    assert pane.ask("getComputedStyle(document.querySelector('p')).color") == "rgb(255, 255, 255)"


def test_light_styles_count_where_no_dark_is_asked_for(pane: Pane, qtbot: QtBot) -> None:
    """Rules for light clients hold in light mode and not in dark mode."""
    pane.begin()
    pane.show(
        "<style>body {background:#102030} @media (prefers-color-scheme: light) {body {background:#fafafa}}</style>x"
    )
    pane.wait_for_colour("#fafafa")
    pane.surface.set_dark("author")
    pane.wait_for_colour("#102030")


def test_a_mail_without_dark_styles_is_said_to_have_none(pane: Pane, qtbot: QtBot) -> None:
    """A person learns why nothing changed."""
    pane.begin()
    pane.surface.set_dark("author")
    pane.show("<p>x")
    assert pane.surface.notes == ["no dark styles of its own"]


def test_a_phone_is_375_pixels_wide(pane: Pane) -> None:
    """Rules for small screens hold in the phone's width."""
    pane.begin()
    pane.surface.set_page_width(375)
    pane.show("<style>p {color: red} @media (max-width: 480px) { p { color: rgb(1, 2, 3) } }</style><p>x")
    assert pane.ask("document.documentElement.clientWidth") in (375, 390)
    assert pane.ask("getComputedStyle(document.querySelector('p')).color") == "rgb(1, 2, 3)"


def test_a_narrow_pane_shows_a_desktop_smaller(pane: Pane) -> None:
    """A mail in a narrow pane is not taken for one on a phone."""
    pane.begin()
    pane.surface.resize(420, 600)
    pane.show("<style>@media (max-width: 600px) { p { color: red } }</style><p style='height:3000px'>x")
    pane.wait_for("innerWidth > 680", True)
    assert pane.surface.notes[0].startswith("700 px wide, shown at ")


def test_marks_lie_on_links_and_change_no_layout(pane: Pane) -> None:
    """Outlines are drawn on top."""
    pane.begin()
    html = (
        f'<a href="https://example.com/" style="{RED}">x</a><p>below</p><img src="https://example.com/p.gif" width=1>'
    )
    pane.show(
        html, links=((0, "https://example.com/"),), names={0: "1"}, pixel_row=1, pixel="https://example.com/p.gif"
    )
    top = pane.ask("document.querySelector('p').getBoundingClientRect().top")
    pane.surface.set_marks(True)
    pane.wait_for("document.querySelectorAll('mailnod-marks').length", 1)
    assert pane.ask("document.querySelector('p').getBoundingClientRect().top") == top
    pane.surface.set_marks(False)
    pane.wait_for("document.querySelectorAll('mailnod-marks').length", 0)


def test_a_link_far_below_is_scrolled_to(pane: Pane) -> None:
    """Revealing a link brings it into sight."""
    pane.begin()
    pane.show(
        '<p style="height:4000px">x</p><a href="https://example.com/">y</a>', links=((3, "https://example.com/"),)
    )
    pane.surface.reveal(3)
    pane.wait_for("scrollY > 3000", True)


def test_the_same_mail_stays_where_it_was_scrolled_to(pane: Pane) -> None:
    """A change of what leaves does not lose a reader's place; another mail begins at its top."""
    pane.begin()
    tall = "<p style='height:5000px'>x"
    pane.show(tall, key="mail")
    pane.ask("scrollTo(0, 2000), 0")
    pane.wait_for("Math.round(scrollY)", 2000)
    pane.show(f"{tall}y", key="mail")
    assert abs(pane.ask("scrollY") - 2000) < 20
    pane.show(f"{tall}z", key="other")
    assert pane.ask("scrollY") == 0


def test_what_was_shown_before_is_given_back(pane: Pane) -> None:
    """A mail that another version replaced leaves no memory behind, although no script of it ever asks for any."""
    pane.begin()
    pane.show("<p>before</p>", key="mail")
    pane.ask("globalThis.seen = new WeakRef(document.querySelector('p')), 0")
    pane.show("<p>after</p>", key="mail")
    assert pane.ask("document.querySelector('p').textContent") == "after"
    pane.wait_for("Number(seen.deref() === undefined)", 1)
