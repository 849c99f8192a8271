"""The documents match the code: named settings, files, commands, tests and links exist."""

import re
import tokenize
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import SQLModel

import models  # noqa: F401  # registers the tables
from anonchat import Settings, parse_duration
from anonchat.rates import Rate, parse_rate

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
README_LINES = 120

_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
_PATH = re.compile(r"`([\w./-]+\.(?:py|js|css|toml)|[\w./-]+/\w+\.po)`")
_NAME = re.compile(r"`((?:\w+\.)*_?\w+)`")
_SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MAKE_COMMAND = re.compile(r"^(?:\w+=\S+ )*make ([a-z-]+)", re.MULTILINE)
_MAKE_INLINE = re.compile(r"`make ([a-z-]+)[^`]*`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_SETTING = re.compile(r"^\| `(ANONCHAT_\w+)` \| `?([^`|]*?)`? \|", re.MULTILINE)


def documents() -> list[Path]:
    """Return the Markdown files of the project, without those of tools."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_every_setting_is_documented_with_its_default() -> None:
    written = dict(_SETTING.findall((ROOT / "docs" / "settings.md").read_text()))
    actual = {
        f"ANONCHAT_{name.upper()}": field.default for name, field in Settings.model_fields.items()
    }
    assert written.keys() == actual.keys()
    for name, default in actual.items():
        assert _parse(written[name], like=default) == default, name


def test_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_has_a_target(document: Path) -> None:
    for target in _targets(document.read_text()):
        path, _, heading = target.partition("#")
        place = document.parent / path if path else document
        assert place.exists(), f"{target} does not exist"
        if heading:
            assert heading in _headings(place.read_text()), f"{target} has no such heading"


def test_every_decision_is_listed_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(_targets((folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}


@pytest.mark.parametrize(
    "document",
    documents(),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_named_file_exists(document: Path) -> None:
    for name in _PATH.findall(document.read_text()):
        assert (ROOT / name).exists(), f"there is no {name}"


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_named_test_exists(document: Path) -> None:
    for path, name in _TEST.findall(document.read_text()):
        assert f"def {name}(" in (ROOT / path).read_text(), f"there is no {path}::{name}"


def test_every_security_requirement_names_a_test_or_a_reason() -> None:
    text = (ROOT / "docs" / "security-tests.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "shown by" not in line]
    assert len(rows) > 80
    for row in rows:
        what, shown_by = row.strip("| ").rsplit(" | ", 1)
        assert _TEST.search(shown_by) or shown_by.startswith("–"), what
    numbers = {number for row in rows for number in re.findall(r"\b\d+\.\d+\.\d+\b", row)}
    assert len(numbers) > 120


def test_every_threat_names_a_test() -> None:
    text = (ROOT / "SECURITY.md").read_text().partition("## Who can do what")[2]
    rows = re.findall(r"^\| \*\*(.+?)\*\* \|(.+)\|$", text, re.MULTILINE)
    assert len(rows) >= 7
    for who, row in rows:
        assert _TEST.search(row), f"no test for {who}"


def test_every_unencrypted_column_is_listed_in_security() -> None:
    section = (ROOT / "SECURITY.md").read_text().partition("## What is stored unencrypted")[2]
    named = re.findall(r"`([a-z_]+\.[a-z_]+)`", section.partition("\n## ")[0])
    plain = {
        f"{table.name}.{column.name}"
        for table in SQLModel.metadata.tables.values()
        for column in table.columns
        if column.name != "sealed"
    }
    assert sorted(named) == sorted(plain)


def test_every_module_and_name_in_the_architecture_exists() -> None:
    text = ARCHITECTURE.read_text()
    known = {name for path in _sources() for name in _names_in(path)}
    files = {path.stem for path in _sources()} | {path.parent.name for path in _sources()}
    for block in re.findall(r"^(?:anonchat|pages)/ .*\n((?:  .*\n)+)", text, re.MULTILINE):
        for line in block.splitlines():
            words = re.match(r"  ((?:\S+ )*\S+)(?:  |$)", line)
            for word in words[1].split() if words and not line.startswith("   ") else []:
                assert word.strip("/") in files | {"locale", "assets"}, f"there is no {word}"
    for name in _NAME.findall(text):
        parts = name.split(".")
        if name[0].isupper() or parts[0].startswith("_"):
            assert set(parts) <= known, f"there is no {name}"


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_named_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = document.read_text()
    named = _MAKE_INLINE.findall(text)
    for commands in _SHELL_BLOCK.findall(text):
        named += _MAKE_COMMAND.findall(commands)
    for target in named:
        assert target in targets, f"there is no make {target}"


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs").rglob("*.png"))
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 200_000, picture.name


def _parse(written: str, *, like: object) -> object:
    """Parse a default from the settings table."""
    if isinstance(like, timedelta):
        return parse_duration(written)
    if isinstance(like, Rate):
        return parse_rate(written)
    if written == "empty":
        return "" if like == "" else None
    return type(like)(written)


def _targets(text: str) -> Iterator[str]:
    for match in _LINK.finditer(text):
        target = match[1] or match[2]
        if not re.match(r"[a-z]+:", target):
            yield target


def _headings(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _sources() -> list[Path]:
    folders = [ROOT / name for name in ("anonchat", "pages", "models")]
    return [path for folder in folders for path in folder.rglob("*.py")]


def _names_in(path: Path) -> Iterator[str]:
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.NAME:
                yield token.string
