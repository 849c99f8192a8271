"""Requirements are pinned, and no pinned version has a known vulnerability."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_PINNED = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==([0-9][0-9a-z.]*)(?: ; .+)?")
_ROW = re.compile(r"^\| ([A-Za-z0-9_.-]+) \| ([0-9.]+|none) \| .+ \|$", re.MULTILINE)
_FOLDERS = ("anonchat", "pages", "models")
_UNSAFE_ELEMENTS = {"markdown", "html", "restructured_text", "mermaid"}


def _read_pins(path: Path) -> dict[str, str]:
    lines = [line.strip() for line in path.read_text().splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("#", "-r "))]
    pins = [(line, _PINNED.fullmatch(line)) for line in wanted]
    loose = [line for line, pin in pins if pin is None]
    assert loose == [], "not pinned to one version"
    return {_canonical(pin[1]): pin[2] for _, pin in pins if pin}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


PINS = _read_pins(ROOT / "requirements.txt")
SAFE_FROM = dict(_ROW.findall((ROOT / "docs" / "dependencies.md").read_text()))


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_every_requirement_is_pinned_to_one_version(path: Path) -> None:
    assert len(_read_pins(path)) > 3


@pytest.mark.parametrize("name", [name for name, least in SAFE_FROM.items() if least != "none"])
def test_pinned_version_has_no_known_vulnerability(name: str) -> None:
    pinned, least = PINS[_canonical(name)], SAFE_FROM[name]
    assert _number(pinned) >= _number(least), f"{name} {pinned} is older than {least}"


def test_package_without_a_safe_version_is_not_used() -> None:
    assert {name for name, least in SAFE_FROM.items() if least == "none"} == {"markdown2"}
    for path in (path for folder in _FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "markdown2" not in ast.unparse(node), path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert not (node.value.id == "ui" and node.attr in _UNSAFE_ELEMENTS), path
