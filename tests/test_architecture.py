import shutil
import subprocess
import sys
from pathlib import Path

import anonchat

ROOT = Path(__file__).parent.parent


def test_modules_import_lower_layers_only() -> None:
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert linter, "import-linter is not installed"
    result = subprocess.run(
        [linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_public_api_is_sorted_and_complete() -> None:
    constants = [name for name in anonchat.__all__ if name.isupper()]
    others = [name for name in anonchat.__all__ if not name.isupper()]
    assert anonchat.__all__ == sorted(constants) + sorted(others)
    assert all(hasattr(anonchat, name) for name in anonchat.__all__)


def test_pages_do_not_use_elements_that_render_text_as_markup() -> None:
    pages = ROOT / "pages"
    for path in pages.rglob("*.py"):
        source = path.read_text()
        if path == pages / "rows" / "template.py":  # it escapes what it is given
            source = source.replace("Markup(", "")
        for element in ("ui.html", "ui.markdown", "ui.refreshable", "Markup("):
            assert element not in source, f"{path.name} uses {element}"
