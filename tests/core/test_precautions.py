"""Memory is kept off the disk as far as a process can see to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from anonchat.precautions import take_precautions

ROOT = Path(__file__).parents[2]
HEADING = "Filename\tType\tSize\tUsed\tPriority\n"


def test_there_are_no_core_dumps() -> None:
    program = (
        "import resource; from anonchat.precautions import take_precautions; take_precautions();"
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout == "(0, 0)\n"


@pytest.mark.parametrize(
    ("swaps", "warned"), [(f"{HEADING}/dev/sda2\tpartition\t8\t0\t-2\n", 1), (HEADING, 0), ("", 0)]
)
def test_swap_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, swaps: str, warned: int
) -> None:
    (tmp_path / "swaps").write_text(swaps)
    take_precautions(swaps=tmp_path / "swaps")
    assert caplog.text.count("swap is on") == warned


def test_a_system_that_does_not_tell_of_swap_is_not_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    take_precautions(swaps=tmp_path / "nowhere")
    assert caplog.text == ""
