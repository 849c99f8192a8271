"""The commands for plugins, and what other commands do while plugins are set."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from anonchat.plugins.loading import list_builtin_names
from tests.servers.program import run_program
from tests.timeouts import DEADLINE
from tools.servers.process import ROOT

EXAMPLE = ROOT / "tests" / "plugins" / "contract_example.py"
BROKEN = "from anonchat.plugins import Plugin\nplugin = Plugin('broken')\nnothing.here()\n"


def run(folder: Path, *words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    given = {f"ANONCHAT_{name.upper()}": str(value) for name, value in settings.items()}
    return run_program(folder, *words, environment=given)


def test_plugins_lists_what_each_adds(tmp_path: Path) -> None:
    done = run(tmp_path, "plugins", "--json", plugins=EXAMPLE, dice_sides=20)
    assert done.returncode == 0, done.stderr
    *ours, dice = json.loads(done.stdout)["plugins"]
    assert [plugin["name"] for plugin in ours] == [
        name for name in list_builtin_names() if name != "dice"
    ]
    assert dice == {
        "name": "dice",
        "file": str(EXAMPLE),
        "commands": [{"usage": "/roll [times]", "who": "members", "help": "Roll dice."}],
        "filters": ["calm"],
        "kinds": ["dice"],
        "inline": [":tada:"],
        "panels": ["Poll"],
        "actions": ["Roll (room)"],
        "pages": ["/about"],
        "listeners": ["MessagePosted"],
        "jobs": ["remind (every 10m)"],
        "themes": ["felt"],
        "routes": [],
        "settings": {"ANONCHAT_DICE_SIDES": 20},
    }
    assert "felt.svg" in done.stderr
    text = run(tmp_path, "plugins", plugins=EXAMPLE).stdout
    for line in (
        f"dice  {EXAMPLE}\n",
        "  command   /roll [times]  Roll dice.\n",
        "  filter    calm\n",
        "  page      /about\n",
        "  setting   ANONCHAT_DICE_SIDES=6\n",
    ):
        assert line in text
    assert not (tmp_path / "data").exists()


def test_secret_settings_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "safe.py").write_text(
        "from pydantic import SecretStr\n"
        "from anonchat.plugins import Plugin, PluginSettings\n"
        "class Safe(PluginSettings):\n    token: SecretStr\n"
        "plugin = Plugin('safe', settings=Safe)\n"
    )
    done = run(tmp_path, "plugins", plugins="safe.py", safe_token="xyzzy-plugh")
    assert "ANONCHAT_SAFE_TOKEN=*" in done.stdout
    assert "xyzzy" not in done.stdout


def test_a_plugin_that_cannot_be_loaded_is_reported_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text(BROKEN)
    reason = f"plugin broken ({path}, line 3): NameError: name 'nothing' is not defined"
    listed = run(tmp_path, "plugins", plugins=path)
    assert (listed.returncode, listed.stdout, listed.stderr) == (1, "", f"{reason}\n")
    checked = run(tmp_path, "check", plugins=path)
    assert checked.returncode == 1
    assert f"FAILED  plugins: {reason}\n" in checked.stdout
    started = run(tmp_path, plugins=path)
    assert (started.returncode, started.stderr) == (1, f"{reason}\n")
    assert not (tmp_path / "data").exists()


def test_check_reports_an_unknown_setting_and_a_wrong_theme(tmp_path: Path) -> None:
    unknown = run(tmp_path, "check", plugins=EXAMPLE, dice_side=6)
    assert "FAILED  plugins: ANONCHAT_DICE_SIDE is not a setting; the nearest is " in unknown.stdout
    wrong = run(tmp_path, "check", theme="plaid")
    assert "FAILED  plugins: ANONCHAT_THEME: needs " in wrong.stdout
    well = run(tmp_path, "check", plugins=EXAMPLE, dice_sides=6)
    assert well.returncode == 0
    assert "ok      plugins: loaded: " in well.stdout


def test_other_commands_accept_settings_of_plugins_without_loading_them(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    assert run(tmp_path, "new-plugin", "mine").returncode == 0
    done = run(tmp_path, "purge", plugins="broken.py", broken_level=5)
    assert "no anonchat data" in done.stderr, "it got as far as the data"


@pytest.mark.parametrize("name", ["hello", "hello-you"])
def test_a_new_plugin_loads_and_passes_its_test(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, "new-plugin", name, "mine")
    file = str(tmp_path / "mine" / f"{name.replace('-', '_')}.py")
    assert done.returncode == 0, done.stderr
    _, start, test = done.stdout.splitlines()
    assert start.split() == [
        f"ANONCHAT_PLUGINS={file}",
        sys.executable,
        str(ROOT / "main.py"),
        "--reload",
    ]
    listed = run(tmp_path, "plugins", "--json", plugins=file)
    plugin = json.loads(listed.stdout)["plugins"][-1]
    assert plugin["name"] == name
    hooks = {key for key, value in plugin.items() if value}
    assert hooks == {*plugin}, "it has each hook"
    tested = subprocess.run(
        ["sh", "-c", f"{test} -q -p no:cacheprovider"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert tested.returncode == 0, tested.stdout


def test_a_new_plugin_overwrites_nothing(tmp_path: Path) -> None:
    for existing in ("hello.py", "test_hello.py"):
        folder = tmp_path / existing.partition(".")[0]
        folder.mkdir()
        (folder / existing).write_text("mine")
        done = run(tmp_path, "new-plugin", "hello", folder.name)
        assert done.returncode == 1
        assert done.stderr == f"{folder.name}/{existing} exists already\n"
        assert [path.read_text() for path in folder.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["Hello", "2much", "a b", "../x", "class", "dice"])
def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, "new-plugin", name)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
