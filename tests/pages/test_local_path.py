"""Redirect targets after sign-in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.http.auth import local_path


@pytest.mark.parametrize(
    "target", ["/", "/r/night-train", "/r/a?b=c#d", "/privacy", "/r/я", "/a//b", "/a:b"]
)
def test_local_path_keeps_paths_of_this_site(target: str) -> None:
    assert local_path(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "r/x",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "http://[",
        "//[",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "\x00/",
    ],
)
def test_local_path_replaces_other_targets_with_the_lobby(target: str) -> None:
    assert local_path(target) == "/"


@given(st.text(alphabet="/\\:.?#@[]ahtp \t\n%", max_size=12))
def test_local_path_never_leads_to_another_site(target: str) -> None:
    path = local_path(target)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert "\t" not in path
    assert "\n" not in path
