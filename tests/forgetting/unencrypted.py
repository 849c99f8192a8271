"""Turns encryption off, to prove that a search for plaintext can find it."""

from collections.abc import Callable

import pytest


def disable_encryption(monkeypatch: pytest.MonkeyPatch, encode: Callable[[str], bytes]) -> None:
    """Make the ciphers store plaintext in the given encoding."""
    texts_by_content: dict[bytes, list[str]] = {}

    def encrypt_texts(_key: bytes, *texts: str, associated_data: str) -> bytes:
        content = b"\n".join([*map(encode, texts), associated_data.encode()])
        texts_by_content[content] = list(texts)
        return content

    def decrypt_texts(_key: bytes, content: bytes, *, associated_data: str) -> list[str]:
        return texts_by_content[content]

    for module in ("row_cipher", "message_cipher"):
        monkeypatch.setattr(f"anonchat.security.{module}.encrypt_texts", encrypt_texts)
        monkeypatch.setattr(f"anonchat.security.{module}.decrypt_texts", decrypt_texts)
