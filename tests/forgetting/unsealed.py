"""A house that seals nothing, for searches that have to find something."""

from collections.abc import Callable

import pytest


def seal_nothing(monkeypatch: pytest.MonkeyPatch, shape: Callable[[str], bytes]) -> None:
    """Let the vault write everything down as it is, in that shape."""
    kept: dict[bytes, list[str]] = {}

    def seal_texts(_key: bytes, *texts: str, place: str) -> bytes:
        sealed = b"\n".join([*map(shape, texts), place.encode()])
        kept[sealed] = list(texts)
        return sealed

    def unseal_texts(_key: bytes, sealed: bytes, *, place: str) -> list[str]:
        return kept[sealed]

    monkeypatch.setattr("anonchat.vault.seal_texts", seal_texts)
    monkeypatch.setattr("anonchat.vault.unseal_texts", unseal_texts)
