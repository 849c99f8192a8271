"""Process hardening: no core dumps, and a warning if swap is on."""

import subprocess
import sys
from pathlib import Path

import pytest

from anonchat.security.hardening import harden_process

ROOT = Path(__file__).parents[2]
HEADING = "Filename\tType\tSize\tUsed\tPriority\n"


def test_core_dumps_are_disabled() -> None:
    program = (
        "import resource; from anonchat.security.hardening import harden_process; harden_process();"
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "(0, 0)\n"


@pytest.mark.parametrize(
    ("swaps", "warnings"),
    [(f"{HEADING}/dev/sda2\tpartition\t8\t0\t-2\n", 1), (HEADING, 0), ("", 0)],
)
def test_swap_warning_is_logged_only_if_swap_is_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, swaps: str, warnings: int
) -> None:
    (tmp_path / "swaps").write_text(swaps)
    harden_process(swaps=tmp_path / "swaps")
    assert caplog.text.count("swap is on") == warnings


def test_swap_warning_is_not_logged_if_the_swaps_file_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    harden_process(swaps=tmp_path / "nowhere")
    assert caplog.text == ""
