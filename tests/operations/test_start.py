"""The server listens where configured, or exits with a one-line error."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from anonchat import StartupError
from anonchat.cli.main import cli
from anonchat.runtime.listening import bind, format_url
from tests.servers.program import run_program
from tests.timeouts import DEADLINE
from tools.ports import free_port
from tools.servers.process import ROOT

Process = asyncio.subprocess.Process

_LISTENING = re.compile(r"listening at (http://\S+)")


@asynccontextmanager
async def program(folder: Path, *words: str, **settings: str) -> AsyncIterator[Process]:
    """Start the program in a folder; kill it at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        ROOT / "main.py",
        *words,
        cwd=folder,
        env=_write_environment(folder, settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _write_environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    given = {"port": "0", "data_dir": str(folder / "data"), **settings}
    named = {
        name if name.isupper() else f"ANONCHAT_{name.upper()}": value
        for name, value in given.items()
    }
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **named}


async def run(folder: Path, *words: str, **settings: str) -> tuple[int, str, str]:
    """Run the program; return its exit status, standard output and standard error."""
    environment = _write_environment(folder, settings)
    done = await asyncio.to_thread(run_program, folder, *words, environment=environment)
    return done.returncode, done.stdout, done.stderr


async def read_url(process: Process) -> str:
    """Return the URL from the log line that announces it."""
    assert process.stderr
    async with asyncio.timeout(DEADLINE):
        while line := (await process.stderr.readline()).decode():
            if found := _LISTENING.search(line):
                return found[1]
    raise AssertionError("the program has exited")


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
async def test_graceful_stop_exits_with_status_0(
    tmp_path: Path, stop_signal: signal.Signals
) -> None:
    async with program(tmp_path) as process, asyncio.timeout(DEADLINE):
        await read_url(process)
        process.send_signal(stop_signal)
        _, stderr = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in stderr


async def test_stop_while_the_program_is_still_loading_exits_with_status_0(tmp_path: Path) -> None:
    slow_library = "import time\nprint('loading', flush=True)\ntime.sleep(999)\n"
    (tmp_path / "uvicorn.py").write_text(slow_library)
    async with program(tmp_path, PYTHONPATH=str(tmp_path)) as process, asyncio.timeout(DEADLINE):
        assert process.stdout
        assert await process.stdout.readline() == b"loading\n"
        process.terminate()
        _, stderr = await process.communicate()
    assert (process.returncode, stderr) == (0, b"")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", ""])
async def test_server_listens_only_on_the_configured_host(tmp_path: Path, host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine does not speak IPv6")
    async with program(tmp_path, host=host) as process:
        url = await read_url(process)
        async with httpx.AsyncClient(timeout=DEADLINE) as http:
            assert (await http.get(f"{url}/healthz")).text == "ok"
        assert _list_listening_addresses(httpx.URL(url).port) <= {"127.0.0.1", "::1"}, (
            "the server listens on other addresses"
        )


async def test_port_in_use_fails_the_start_with_one_line_and_creates_nothing(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        status, stdout, stderr = await run(tmp_path, port=port)
    assert (status, stdout) == (1, "")
    assert stderr.startswith("ANONCHAT_PORT: needs a port that is free")
    assert f"got {port} on 127.0.0.1: Address already in use" in stderr
    assert stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


async def test_port_taken_during_startup_fails_the_start_with_one_line(
    tmp_path: Path,
) -> None:
    port = str(free_port())
    metrics = {"metrics_host": "127.0.0.1", "metrics_port": port}  # listens first
    status, _, stderr = await run(tmp_path, host="localhost", port=port, **metrics)
    assert status == 1
    assert stderr.splitlines()[-1].startswith("ANONCHAT_PORT: needs a port that is free")
    assert "listening at" not in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"host": "192.0.2.1"}, "ANONCHAT_HOST"),  # for documentation: RFC 5737
        ({"host": "no-such-host.invalid"}, "ANONCHAT_HOST"),
        ({"metrics_host": "192.0.2.1", "metrics_port": "1"}, "ANONCHAT_METRICS_HOST"),
        ({"data_dir": "/proc/x"}, "ANONCHAT_DATA_DIR"),
        ({"data_dir": "/proc"}, "ANONCHAT_DATA_DIR"),
        ({"data_dir": "/dev/null"}, "ANONCHAT_DATA_DIR"),
        ({"database_url": "sqlite:////nowhere/at/all.db"}, "ANONCHAT_DATABASE_URL"),
        ({"database_url": "sqlite:///."}, "ANONCHAT_DATABASE_URL"),
        ({"database_url": f"sqlite:///{__file__}"}, "ANONCHAT_DATABASE_URL"),
        ({"database_url": "postgresql://127.0.0.1:1/x"}, "ANONCHAT_DATABASE_URL"),
        ({"database_url": "postgresql://127.0.0.1:1/x?ssl=no"}, "ANONCHAT_DATABASE_URL"),
        ({"host": "224.0.0.1"}, "ANONCHAT_HOST"),
        ({"port": "1", "metrics_port": "1", "metrics_host": "0.0.0.0"}, "ANONCHAT_METRICS_PORT"),
        ({"language": "de"}, "ANONCHAT_LANGUAGE"),
        ({"locale_dir": "/nowhere"}, "ANONCHAT_LOCALE_DIR"),
        ({"mesage_ttl": "10m"}, "ANONCHAT_MESAGE_TTL"),
        ({"bus_url": "redis://127.0.0.1:port", "secret_key": "x" * 16,
          "database_url": "postgresql://127.0.0.1:1/x"}, "ANONCHAT_BUS_URL"),
    ],
)  # fmt: skip
def test_check_reports_what_startup_rejects(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    name: str,
) -> None:
    environment = _write_environment(tmp_path, settings)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    done = run_program(tmp_path, environment=environment)
    line = done.stderr.splitlines()[-1]
    assert done.returncode != 0
    assert line.startswith(name)
    assert "Traceback" not in done.stderr
    check = CliRunner().invoke(cli, ["check"])
    assert check.exit_code == 1
    assert line.rpartition(":")[0] in check.output


def test_check_reports_the_broken_catalogue_that_startup_rejects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "de.po").write_text('msgid "New room"\nmsgstr "Neuer {room}"\n')
    environment = _write_environment(tmp_path, {"locale_dir": str(tmp_path)})
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    line = f"{tmp_path / 'de.po'}: line 1: 'New room' has no placeholder {{room}}"
    done = run_program(tmp_path, environment=environment)
    assert (done.returncode, done.stderr) == (1, f"{line}\n")
    check = CliRunner().invoke(cli, ["check"])
    assert (check.exit_code, line in check.output) == (1, True)


def test_check_reports_an_unreadable_secret_key_before_the_first_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANONCHAT_DATA_DIR", str(tmp_path))
    (tmp_path / "secret.key").mkdir()
    check = CliRunner().invoke(cli, ["check"])
    assert check.exit_code == 1
    assert re.search(r"FAILED  keys: ANONCHAT_DATA_DIR: .*: Is a directory", check.output)


async def test_check_reports_a_port_in_use_unless_it_is_our_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        status, stdout, _ = await run(tmp_path, "check", port=str(other.getsockname()[1]))
    assert status == 1
    assert "FAILED  settings: ANONCHAT_PORT: needs a port that is free" in stdout
    port = str(free_port())
    async with program(tmp_path, port=port) as process:
        await read_url(process)
        status, stdout, _ = await run(tmp_path, "check", port=port)
    assert (status, "anonchat is running in this data folder" in stdout) == (0, True), stdout


async def test_check_leaves_no_file(tmp_path: Path) -> None:
    status, _, _ = await run(tmp_path, "check")
    assert status == 0
    assert os.listdir(tmp_path) == []


async def test_data_dir_may_be_in_the_home_folder(tmp_path: Path) -> None:
    async with program(tmp_path, data_dir="~/da?ta") as process:
        await read_url(process)
        assert (tmp_path / "da?ta" / "anonchat.db").exists()


def test_all_addresses_of_a_host_have_the_same_port() -> None:
    listeners = bind("localhost", 0)
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        listener.close()


def test_bind_fails_if_another_process_listens_on_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(StartupError, match=r"^ANONCHAT_METRICS_PORT: "):
            bind("127.0.0.1", other.getsockname()[1], setting="ANONCHAT_METRICS")


def test_url_of_an_ipv6_address_has_brackets() -> None:
    assert format_url("::1", 8080) == "http://[::1]:8080"
    assert format_url("fe80::1%eth0", 8080) == "http://[fe80::1%25eth0]:8080"
    assert format_url("chat.example", 80) == "http://chat.example:80"


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def _list_listening_addresses(port: int | None) -> set[str]:
    """Return the local addresses with a listening socket at a port."""
    found = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        path = Path("/proc/net", table)
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                words = [bytes.fromhex(address[n : n + 8])[::-1] for n in range(0, len(address), 8)]
                found.add(socket.inet_ntop(family, b"".join(words)))
    return found
