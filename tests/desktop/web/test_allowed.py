"""What a person lets in is fetched without Chromium, and pixels never are."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QUrl

from mailnod_desktop.web.fetcher import Fetcher, Limits

from .conftest import GIF, SVG, Canary, Pane

TOKEN = "A" * 32


def serve(canary: Canary, path: str, content_type: str, body: bytes, status: int = 200, **headers: str) -> str:
    """Let the server have an answer, and return its URL."""
    canary.answers[path] = (status, {"Content-Type": content_type, **headers}, body)
    return f"{canary.url}{path}"


def test_allowed_images_are_drawn(canary: Canary, pane: Pane) -> None:
    """An image, a background and a style sheet are on the screen once they were allowed."""
    image = serve(canary, "/i.svg", "image/svg+xml", SVG)
    style = serve(
        canary, "/s.css", "text/css", f"p {{ color: rgb(1, 2, 3); background: url({canary.url}/b.svg) }}".encode()
    )
    serve(canary, "/b.svg", "image/svg+xml", SVG)
    pane.begin(allowed=True)
    pane.show(f'<link rel="stylesheet" href="{style}"><img src="{image}"><p>x')
    pane.wait_for("document.images[0].naturalWidth", 40)
    pane.wait_for("getComputedStyle(document.querySelector('p')).color", "rgb(1, 2, 3)")
    assert sorted(set(canary.requests)) == ["/b.svg", "/i.svg", "/s.css"]
    assert pane.refused == []


def test_nothing_tells_the_server_who_asks(canary: Canary, pane: Pane) -> None:
    """No cookie, no referrer, no language and no name of the program is sent."""
    serve(canary, "/1.svg", "image/svg+xml", SVG)
    pane.begin(allowed=True)
    for _ in range(2):
        pane.show(f'<img src="{canary.url}/1.svg">')
        pane.wait_for("document.images[0].naturalWidth", 40)
    assert len(canary.headers) == 2
    for headers in canary.headers:
        assert {"cookie", "referer", "authorization", "origin"}.isdisjoint(headers)
        assert headers["user-agent"] == "Mozilla/5.0"


@pytest.mark.parametrize(
    "path",
    [
        f"/t/o/{TOKEN}.gif",
        f"/elsewhere/o/{TOKEN}.gif",
        f"/%6F/{TOKEN}.gif",
        f"/%256F/{TOKEN}.gif",
        f"/o/{TOKEN}.gif?size=1",
        f"/c/{TOKEN}.0",
        f"/c/{TOKEN}.0.{'B' * 16}?u=https://example.com/",
        "/t/anything.png",
    ],
)
def test_tracking_addresses_are_never_loaded(path: str, canary: Canary, pane: Pane) -> None:
    """Whatever the permission, a pixel or a tracked link is not asked for."""
    pane.begin(allowed=True, base=f"{canary.url}/t")
    pane.show(f'<img src="{canary.url}{path}"><style>p {{ background: url("{canary.url}{path}") }}</style><p>x')
    pane.show("<p>after</p>")
    assert canary.count() == (0, 0)


def test_a_redirect_to_a_pixel_is_not_followed(canary: Canary, pane: Pane) -> None:
    """An address that leads to a pixel does not record an open."""
    pixel = f"/t/o/{TOKEN}.gif"
    first = serve(canary, "/logo.png", "image/png", b"", 302, Location=f"{canary.url}{pixel}")
    pane.begin(allowed=True, base=f"{canary.url}/t")
    pane.show(f'<img src="{first}">')
    pane.wait_for("document.images[0].complete", True)
    assert canary.requests == ["/logo.png"]
    assert pane.refused == [("image", first)]


def test_a_redirect_to_an_image_is_followed(canary: Canary, pane: Pane) -> None:
    """Servers that move their images are understood."""
    serve(canary, "/new.svg", "image/svg+xml", SVG)
    first = serve(canary, "/old.svg", "image/svg+xml", b"", 301, Location="/new.svg")
    pane.begin(allowed=True)
    pane.show(f'<img src="{first}">')
    pane.wait_for("document.images[0].naturalWidth", 40)
    assert canary.requests == ["/old.svg", "/new.svg"]


def test_a_redirect_from_outside_does_not_lead_inside(pane: Pane) -> None:
    """No server gets this machine to ask others of its network; what a mail names itself, a person has seen."""
    pane.begin(allowed=True)
    fetcher = Fetcher(pane.backend.gate, {})
    outside, inside = QUrl("https://cdn.example.com/a.png"), QUrl("http://0x7f.1:631/a.png")
    assert "into this machine" in fetcher.refuses("image", inside, outside)
    assert fetcher.refuses("image", inside, QUrl("http://localhost:8000/a.png")) == ""
    assert fetcher.refuses("image", QUrl("https://cdn2.example.com/a.png"), outside) == ""


def test_redirects_in_a_circle_end(canary: Canary, pane: Pane) -> None:
    """A server that never stops redirecting is left."""
    first = serve(canary, "/r.png", "image/png", b"", 302, Location="/r.png")
    pane.begin(allowed=True)
    pane.show(f'<img src="{first}">')
    pane.wait_for("document.images[0].complete", True)
    assert len(canary.requests) == Limits.REDIRECTS + 1


def test_what_is_too_large_is_left(canary: Canary, pane: Pane, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image beyond the limit is not loaded, and that is said."""
    monkeypatch.setattr(Limits, "BYTES", 100)
    first = serve(canary, "/big.svg", "image/svg+xml", SVG + b" " * 200)
    pane.begin(allowed=True)
    pane.show(f'<img src="{first}">')
    pane.wait_for("document.images[0].complete", True)
    assert pane.refused == [("image", first)]
    assert pane.backend.find_blocked()[0].reason == "too large"


def test_what_a_server_calls_no_image_is_none(canary: Canary, pane: Pane) -> None:
    """HTML in an image's place is not handed to the page."""
    first = serve(canary, "/i.png", "text/html", GIF)
    pane.begin(allowed=True)
    pane.show(f'<img src="{first}">')
    pane.wait_for("document.images[0].complete", True)
    assert pane.ask("document.images[0].naturalWidth") == 0
    assert pane.backend.find_blocked()[0].reason == "the server calls it text/html, which is no image"


def test_a_server_that_fails_is_named(canary: Canary, pane: Pane) -> None:
    """A person sees why an allowed image is not there."""
    first = serve(canary, "/i.png", "image/png", b"", 404)
    pane.begin(allowed=True)
    pane.show(f'<img src="{first}">')
    pane.wait_for("document.images[0].complete", True)
    assert pane.backend.find_blocked()[0].reason.startswith("allowed, but not loaded: ")


def test_fonts_are_loaded(canary: Canary, pane: Pane) -> None:
    """A font that a style of the mail names is asked for, although Chromium would refuse its redirect."""
    serve(canary, "/f.woff2", "font/woff2", b"no font")
    pane.begin(allowed=True)
    pane.show(
        f'<style>@font-face {{ font-family: F; src: url("{canary.url}/f.woff2") }} p {{ font-family: F }}</style><p>x'
    )
    pane.wait_for("[...document.fonts].map((font) => font.status).join()", "error")
    assert canary.requests.count("/f.woff2") == 1


def test_a_permission_ends_with_its_mail(canary: Canary, pane: Pane) -> None:
    """The next mail begins without it."""
    serve(canary, "/i.svg", "image/svg+xml", SVG)
    pane.begin(allowed=True)
    pane.show(f'<img src="{canary.url}/i.svg">')
    pane.wait_for("document.images[0].naturalWidth", 40)
    pane.begin()
    pane.show(f'<img src="{canary.url}/other.svg">')
    pane.show("<p>after</p>")
    assert canary.requests == ["/i.svg"]
