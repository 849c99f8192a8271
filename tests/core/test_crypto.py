"""Encryption, key derivation and hashing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat.crypto import (
    KEY_BYTES,
    DecryptionError,
    Hasher,
    decrypt,
    decrypt_texts,
    derive_key,
    encrypt_texts,
    fingerprint,
)

KEY, OTHER = b"k" * KEY_BYTES, b"o" * KEY_BYTES
characters = st.characters(exclude_categories=["Cs"])


@given(texts=st.lists(st.text(characters)), associated_data=st.text(characters))
def test_decryption_restores_the_encrypted_texts(texts: list[str], associated_data: str) -> None:
    assert (
        decrypt_texts(
            KEY,
            encrypt_texts(KEY, *texts, associated_data=associated_data),
            associated_data=associated_data,
        )
        == texts
    )


@given(flip=st.integers(0, 300))
def test_decryption_fails_after_a_single_bit_flip(flip: int) -> None:
    ciphertext = bytearray(encrypt_texts(KEY, "some text", associated_data="here"))
    ciphertext[flip // 8 % len(ciphertext)] ^= 1 << flip % 8
    with pytest.raises(DecryptionError):
        decrypt(KEY, bytes(ciphertext), associated_data="here")


@pytest.mark.parametrize(("key", "associated_data"), [(OTHER, "here"), (KEY, "there")])
def test_decryption_needs_the_same_key_and_associated_data(
    key: bytes, associated_data: str
) -> None:
    with pytest.raises(DecryptionError):
        decrypt(
            key,
            encrypt_texts(KEY, "some text", associated_data="here"),
            associated_data=associated_data,
        )


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 27])
def test_decryption_of_arbitrary_bytes_fails(content: bytes) -> None:
    with pytest.raises(DecryptionError):
        decrypt(KEY, content, associated_data="here")


def test_encryption_of_one_text_never_repeats_a_ciphertext() -> None:
    assert len({encrypt_texts(KEY, "some text", associated_data="here") for _ in range(100)}) == 100


def test_derived_key_depends_on_all_keys_and_the_purpose() -> None:
    keys = {
        derive_key(KEY, OTHER, purpose="a"),
        derive_key(OTHER, KEY, purpose="a"),
        derive_key(KEY, purpose="a"),
        derive_key(KEY, OTHER, purpose="b"),
    }
    assert len(keys) == 4
    assert derive_key(KEY, OTHER, purpose="a") in keys


def test_hash_depends_on_secret_purpose_and_parts() -> None:
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
