"""Sealing and hashing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat.seal import (
    KEY_BYTES,
    BrokenSeal,
    Hasher,
    derive_key,
    fingerprint,
    seal_texts,
    unseal,
    unseal_texts,
)

KEY, OTHER = b"k" * KEY_BYTES, b"o" * KEY_BYTES
characters = st.characters(exclude_categories=["Cs"])


@given(texts=st.lists(st.text(characters)), place=st.text(characters))
def test_what_was_sealed_is_unsealed_as_it_was(texts: list[str], place: str) -> None:
    assert unseal_texts(KEY, seal_texts(KEY, *texts, place=place), place=place) == texts


@given(flip=st.integers(0, 300))
def test_what_was_changed_by_a_single_bit_does_not_open(flip: int) -> None:
    sealed = bytearray(seal_texts(KEY, "some text", place="here"))
    sealed[flip // 8 % len(sealed)] ^= 1 << flip % 8
    with pytest.raises(BrokenSeal):
        unseal(KEY, bytes(sealed), place="here")


@pytest.mark.parametrize(("key", "place"), [(OTHER, "here"), (KEY, "there")])
def test_it_opens_with_its_key_and_in_its_place_only(key: bytes, place: str) -> None:
    with pytest.raises(BrokenSeal):
        unseal(key, seal_texts(KEY, "some text", place="here"), place=place)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 27])
def test_what_was_never_sealed_does_not_open(content: bytes) -> None:
    with pytest.raises(BrokenSeal):
        unseal(KEY, content, place="here")


def test_the_same_text_is_never_sealed_the_same_way() -> None:
    assert len({seal_texts(KEY, "some text", place="here") for _ in range(100)}) == 100


def test_a_derived_key_needs_all_its_keys_and_its_purpose() -> None:
    keys = {
        derive_key(KEY, OTHER, purpose="a"),
        derive_key(OTHER, KEY, purpose="a"),
        derive_key(KEY, purpose="a"),
        derive_key(KEY, OTHER, purpose="b"),
    }
    assert len(keys) == 4
    assert derive_key(KEY, OTHER, purpose="a") in keys


def test_a_hash_stands_for_its_purpose_and_its_parts_alone() -> None:
    hasher = Hasher(lambda: b"secret")
    hashes = [
        hasher.hash("a", "b", "c"),
        hasher.hash("a", "bc"),
        hasher.hash("a", "b", "", "c"),
        hasher.hash("ab", "c"),
        hasher.hash("a", 'b", "c'),
        Hasher(lambda: b"another").hash("a", "b", "c"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert hasher.hash("a", "b", "c") == hashes[0]


def test_any_text_can_be_hashed() -> None:
    hasher = Hasher(lambda: b"secret")
    assert hasher.hash("slug", "\ud800") != hasher.hash("slug", "\ud801")
    assert fingerprint("\ud800") != fingerprint("\ud801")
