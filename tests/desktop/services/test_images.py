"""Tests of images, and of what is left where none is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.desktop_mails import HTML, inspect_html, walk_corpus
from mailnod.html.scan import scan
from mailnod_desktop.services.images import ImageRow, find_own_pixels, list_images, score_alt, without_images
from mailnod_desktop.services.parsing import parse


def read(tag: str) -> ImageRow:
    """Return the one image of a page."""
    (image,) = list_images(f"<p>x</p>{tag}")
    return image


@pytest.mark.parametrize(
    ("tag", "size"),
    [
        ("<IMG SRC=a.png WIDTH=10 HEIGHT='20px'>", (10, 20)),
        ('<img src="a" width="10" style="width: 30px; height:40px !important">', (30, 40)),
        ('<img src="a" width="100%" style="max-width:5px">', (None, None)),
        ("<img src=a width=-1 height=9999999>", (None, None)),
    ],
)
def test_size_is_read_as_styles_and_attributes_say_it(tag: str, size: tuple[int | None, int | None]) -> None:
    """A style goes before an attribute, and what is no number of pixels says nothing."""
    image = read(tag)
    assert (image.width, image.height) == size


@pytest.mark.parametrize(
    ("src", "source"),
    [
        ("cid:a@b", "cid"),
        ("data:image/png;base64,xx", "data"),
        ("HTTPS://e.example/a&amp;b", "remote"),
        ("//e.example/a", "remote"),
        ("a.png", "other"),
    ],
)
def test_source_says_whence_an_image_comes(src: str, source: str) -> None:
    """Parts of the mail, data and servers are told apart."""
    image = read(f'<img src="{src}">')
    assert (image.source, image.src) == (source, src.replace("&amp;", "&"))


@pytest.mark.parametrize("html", ["<!-- <img src=a> -->", "<style><img src=a></style>", "<img alt=a>", "<img src"])
def test_what_is_no_image_is_not_listed(html: str) -> None:
    """Only what a client would load is listed."""
    assert list_images(html) == ()


def test_pixels_are_told_from_pictures() -> None:
    """Ours is told by its form, those of others by their size or because they are hidden."""
    rewritten = inspect_html(HTML).bodies[0].rewritten
    (pixel,) = list_images(rewritten)
    assert (pixel.is_ours, pixel.is_tiny) == (True, True)
    assert find_own_pixels(rewritten) == (pixel,)
    assert read('<img src="https://e.example/t" style="display:none">').is_tiny
    assert not read('<img src="https://e.example/o/short.gif" width="20" height="20">').is_ours


@pytest.mark.parametrize(
    ("html", "score", "why"),
    [
        ("<p>x</p>", 100, "there is no image that a reader would miss"),
        ('<img src=a alt="Our shop">', 100, "1 of 1 image says what is shown"),
        ("<img src=a alt=''>", 50, "0 of 1 image says what is shown, 1 marked as decoration"),
        ("<img src=a><img src=b alt='Shop'>", 50, "1 of 2 images says what is shown, 1 without alt text"),
        ("<img src=a alt=logo.png>", 0, "0 of 1 image says what is shown, 1 named by a file or an empty word"),
        ("<img src=a width=1 height=1>", 100, "there is no image that a reader would miss"),
    ],
)
def test_score_says_how_much_is_left(html: str, score: int, why: str) -> None:
    """Text that stands for an image counts, decoration counts half, and nothing else does."""
    assert score_alt(html) == (score, why)


def test_images_off_shows_texts_and_where_the_pixel_is() -> None:
    """Each image becomes its text, escaped; the pixel becomes a mark, and other trackers vanish."""
    html = inspect_html('<img src=a alt="A &lt;b&gt;" width=100><img src=t width=1 height=1>').bodies[0].rewritten
    shown = without_images(html)
    assert list_images(shown) == ()
    assert "A &lt;b&gt;</span>" in shown
    assert "width:100px" in shown
    assert shown.count('title="open pixel"') == 1
    assert shown.count("<span") == 2


def test_nothing_but_images_changes() -> None:
    """A mail without images stays as it is."""
    assert without_images(HTML) == HTML


def test_corpus_has_no_image_left(shared: Path) -> None:
    """Of every mail of the corpus no image is left, and every link is."""
    for mail in walk_corpus(shared):
        for html in parse(mail).htmls:
            shown = without_images(html)
            assert list_images(shown) == ()
            assert len(scan(shown).anchors) == len(scan(html).anchors)
            score_alt(html)
