"""Tokens and link tags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnod.errors import ConfigurationError, TokenError
from mailnod.model import Mode, TokenState
from mailnod.tokens import TAG_CHARS, TOKEN_CHARS, Key, Keyring, KeyState, new_secret

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DELIVERY = bytes(range(8))
URL = "https://shop.example/offer?a=1&b=2"


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.parse("a-bare-secret")


def sign(keyring: Keyring, *, days: int = 30, opens: Mode = Mode.INDIVIDUAL, clicks: Mode = Mode.NONE) -> str:
    return keyring.sign(DELIVERY, opens=opens, clicks=clicks, expires_at=NOW + timedelta(days=days))


def test_token_says_what_was_signed(keyring: Keyring) -> None:
    """A token carries the delivery, the mode of each axis and the key, in 32 URL-safe characters."""
    token = sign(keyring)
    claims = keyring.verify(token, now=NOW)
    assert len(token) == TOKEN_CHARS
    assert claims.delivery_id == DELIVERY
    assert (claims.opens, claims.clicks) == (Mode.INDIVIDUAL, Mode.NONE)
    assert claims.key_id == 0
    assert claims.state is TokenState.VALID


def test_expiry_is_read_from_the_token_alone(keyring: Keyring) -> None:
    """A token records until the end of its last day and is expired, not refused, from then on."""
    token = sign(keyring, days=1)
    last_moment = datetime(2026, 5, 2, 23, 59, 59, tzinfo=UTC)
    assert keyring.verify(token, now=last_moment).state is TokenState.VALID
    assert keyring.verify(token, now=last_moment + timedelta(seconds=1)).state is TokenState.EXPIRED
    assert keyring.verify(token, now=NOW + timedelta(days=366)).state is TokenState.EXPIRED


@pytest.mark.parametrize("expires_at", [NOW.replace(year=2149), NOW.replace(year=9999)])
def test_expiry_beyond_the_layout_is_its_last_day(keyring: Keyring, expires_at: datetime) -> None:
    """An expiry after 2149-06-06 does not fit into two bytes and becomes that day."""
    token = keyring.sign(DELIVERY, opens=Mode.NONE, clicks=Mode.NONE, expires_at=expires_at)
    assert keyring.verify(token, now=NOW).expires_at <= datetime(2149, 6, 7, tzinfo=UTC)


def test_every_flipped_bit_is_refused(keyring: Keyring) -> None:
    """No bit of a token may change."""
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    raw = urlsafe_b64decode(sign(keyring))
    for bit in range(len(raw) * 8):
        forged = bytearray(raw)
        forged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TokenError):
            keyring.verify(urlsafe_b64encode(forged).decode(), now=NOW)


@given(st.text(max_size=80) | st.text(alphabet="abcXYZ019-_", min_size=TOKEN_CHARS, max_size=TOKEN_CHARS))
@settings(max_examples=500)
def test_random_text_is_refused(text: str) -> None:
    """Whatever is not a token gets a TokenError and nothing else."""
    with pytest.raises(TokenError):
        Keyring.parse("a-bare-secret").verify(text, now=NOW)


@pytest.mark.parametrize("cut", ["", "A", "=" * TOKEN_CHARS, "A" * 31, "A" * 33, "A" * 100_000])
def test_cut_and_overlong_tokens_are_refused(keyring: Keyring, cut: str) -> None:
    """A token of another length, or of other characters, is refused without being decoded."""
    with pytest.raises(TokenError):
        keyring.verify(cut, now=NOW)


def test_token_in_another_alphabet_is_refused(keyring: Keyring) -> None:
    """A token has one form: written with the "+" and "/" of plain base64 it is none."""
    deliveries = (number.to_bytes(8, "big") for number in range(100))
    tokens = {keyring.sign(one, opens=Mode.NONE, clicks=Mode.NONE, expires_at=NOW) for one in deliveries}
    respelt = {token.replace("-", "+").replace("_", "/") for token in tokens} - tokens
    assert respelt
    for token in respelt:
        with pytest.raises(TokenError):
            keyring.verify(token, now=NOW)


@given(st.text(max_size=200), st.integers(min_value=0, max_value=999_999))
def test_link_tag_fits_only_its_link(url: str, index: int) -> None:
    """A tag fits the exact destination at its exact position."""
    keyring = Keyring.parse("a-bare-secret")
    claims = keyring.verify(sign(keyring), now=NOW)
    tag = keyring.tag_link(index, url)
    assert len(tag) == TAG_CHARS
    keyring.verify_link(claims, index, url, tag)
    for other_index, other_url in ((index + 1, url), (index, url + "x")):
        with pytest.raises(TokenError):
            keyring.verify_link(claims, other_index, other_url, tag)


def test_link_tag_of_another_key_is_refused() -> None:
    """A tag is checked with the key that its token names, and no other."""
    old, new = Keyring.parse("0:signing:one"), Keyring.parse("1:signing:two,0:verifying:one")
    claims = new.verify(sign(old), now=NOW)
    with pytest.raises(TokenError):
        new.verify_link(claims, 0, URL, new.tag_link(0, URL))
    new.verify_link(claims, 0, URL, old.tag_link(0, URL))


@pytest.mark.parametrize(("state", "expected"), [("verifying", TokenState.VALID), ("retired", TokenState.RETIRED)])
def test_older_keys_keep_redirecting(state: str, expected: TokenState) -> None:
    """Mail of a verifying key records, mail of a retired key only redirects."""
    token = sign(Keyring.parse("3:signing:old"))
    assert Keyring.parse(f"3:{state}:old 4:signing:new").verify(token, now=NOW).state is expected


def test_revoked_key_is_as_if_it_had_never_been() -> None:
    """Mail of a revoked key is refused, its links too."""
    old = Keyring.parse("3:signing:old")
    claims = old.verify(sign(old), now=NOW)
    keyring = Keyring.parse("3:revoked:old,4:signing:new")
    with pytest.raises(TokenError):
        keyring.verify(sign(old), now=NOW)
    with pytest.raises(TokenError):
        keyring.verify_link(claims, 0, URL, old.tag_link(0, URL))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("", "keys new"),
        ("1:verifying:x", "keys new"),
        ("1:signing:x,2:signing:y", "2 keys"),
        ("1:signing:x,1:verifying:y", "id 1 twice"),
        ("16:signing:x", "id 16"),
        ("1:singing:x", "'singing'"),
        ("1:signing:x,oops", "entry 2"),
        ("a:b:c", "entry 1"),
        ("0:signing", "entry 1"),
    ],
)
def test_wrong_keys_are_named_without_their_secrets(value: str, named: str) -> None:
    """A wrong MAILNOD_SECRET_KEYS says which entry is wrong."""
    with pytest.raises(ConfigurationError, match="MAILNOD_SECRET_KEYS") as caught:
        Keyring.parse(value)
    assert named in str(caught.value)


def test_secret_that_can_be_guessed_is_doubted() -> None:
    """A short secret is allowed, and named as a doubt; a fresh one is not, and what is revoked no longer matters."""
    assert "key 1 has 5 characters" in Keyring.parse("1:signing:short").find_doubts()[0]
    assert Keyring.parse(new_secret()).find_doubts() == []
    assert Keyring.parse(f"0:revoked:short,1:signing:{new_secret()}").find_doubts() == []


def test_setting_round_trips() -> None:
    """What to_setting prints is what parse reads."""
    value = f"0:verifying:{new_secret()},7:signing:{new_secret()}"
    assert Keyring.parse(value).to_setting() == value


def test_secrets_are_not_shown() -> None:
    """A key's representation does not hold its secret, so that no log can."""
    assert "hush" not in repr(Key(id=1, state=KeyState.SIGNING, secret="hush"))


def test_derived_key_survives_the_rotation_of_the_app_secret() -> None:
    """Mail that was signed with an app's earlier secret verifies while that secret stands among the fallbacks."""
    before = Keyring.derive("first")
    after = Keyring.derive("second", ["first"])
    claims = after.verify(sign(before), now=NOW)
    assert claims.state is TokenState.VALID
    after.verify_link(claims, 0, URL, before.tag_link(0, URL))
    assert after.derived


def test_derived_keys_whose_ids_collide_all_verify() -> None:
    """Ids of derived keys have four bits and may collide; every key of an id is tried."""
    secrets = [f"secret {n}" for n in range(40)]
    after = Keyring.derive("new", secrets)
    for secret in secrets:
        assert after.verify(sign(Keyring.derive(secret)), now=NOW).delivery_id == DELIVERY


def test_unknown_mode_counts_as_none() -> None:
    """A mode that this version does not know records nothing and still redirects."""
    keyring = Keyring.parse("a-bare-secret")
    token = keyring.sign(DELIVERY, opens=3, clicks=2, expires_at=NOW)  # type: ignore[arg-type]
    claims = keyring.verify(token, now=NOW)
    assert (claims.opens, claims.clicks) == (Mode.NONE, Mode.NONE)
