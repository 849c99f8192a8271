"""What fails in a plugin is named with its line there, not with one of a library or of ours."""

from pathlib import Path
from types import ModuleType

import pytest
import regex

from anonchat.plugins.errors import find_place

ROOT = Path(__file__).parents[2]


def run_at(file: Path, code: str) -> ModuleType:
    """Return a module whose code is compiled as if it were in a file."""
    module = ModuleType("made")
    exec(compile(code, str(file), "exec"), vars(module))
    return module


@pytest.mark.parametrize("folder", [ROOT, Path("/somewhere/else")])
def test_the_place_is_in_the_plugin_though_our_code_raises(folder: Path) -> None:
    mine = folder / "mine.py"
    code = "from anonchat.durations import parse_duration\n\n\ndef fail(): parse_duration('soon')\n"
    with pytest.raises(ValueError) as failed:
        run_at(mine, code).fail()
    assert find_place(failed.value, folder) == (str(mine), 4)


def test_the_place_is_in_the_plugin_though_a_library_beside_it_raises() -> None:
    folder = Path(regex.__file__).parents[2]  # that of all libraries
    mine = folder / "mine.py"
    code = "import regex\n\n\ndef fail(): regex.compile('(')\n"
    with pytest.raises(Exception, match="missing") as failed:
        run_at(mine, code).fail()
    assert find_place(failed.value, folder) == (str(mine), 4)
    assert find_place(failed.value, Path("/nowhere")) is None
