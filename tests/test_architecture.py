import shutil
import subprocess
import sys
from pathlib import Path

import anonchat

ROOT = Path(__file__).parent.parent


def test_every_module_looks_down_only() -> None:
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert linter, "import-linter is not installed"
    seen = subprocess.run(
        [linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert seen.returncode == 0, seen.stdout


def test_the_public_api_is_sorted_and_whole() -> None:
    constants = [name for name in anonchat.__all__ if name.isupper()]
    others = [name for name in anonchat.__all__ if not name.isupper()]
    assert anonchat.__all__ == sorted(constants) + sorted(others)
    assert all(hasattr(anonchat, name) for name in anonchat.__all__)


def test_pages_render_no_text_of_people_as_markup() -> None:
    for path in (ROOT / "pages").rglob("*.py"):
        source = path.read_text()
        for trap in ("ui.html", "ui.markdown", "ui.refreshable", "Markup("):
            assert trap not in source, f"{path.name} uses {trap}"
