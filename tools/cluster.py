"""A local cluster: PostgreSQL, Redis, several nodes, and nginx as their reverse proxy.

`make cluster` runs it for demonstration; tests and benchmarks use its parts. Every process listens
on 127.0.0.1, stores its data in a temporary folder, and is killed when this process dies.
"""

import asyncio
import ctypes
import os
import pwd
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.nginx.nodes import write_nodes
from tools.ports import free_port

ROOT = Path(__file__).parents[1]
NGINX = ROOT / "deploy" / "nginx"
_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.05
_MAX_FILES = 100_000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class ManagedProcess(ABC):
    """A child process with its own port, which can be stopped, paused and restarted."""

    end = signal.SIGTERM
    """The signal that stops it gracefully."""
    parent_death_signal = signal.SIGKILL
    """The signal it gets when the parent process dies."""
    user: str | None = None
    """The user it runs as, if not the current one."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the command line."""

    @abstractmethod
    async def is_ready(self) -> bool:
        """Return whether it is ready."""

    def environment(self) -> Mapping[str, str]:
        """Return its environment variables."""
        return {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}

    async def prepare(self) -> None:
        """Create its files before the first start."""
        self.folder.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        await self.wait_until_ready()

    def launch(self) -> None:
        """Start it without waiting."""
        with self.log_path.open("ab") as log:
            # In this thread: PR_SET_PDEATHSIG fires when the starting thread ends.
            self.process = subprocess.Popen(
                [str(argument) for argument in self.command()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user and pwd.getpwnam(self.user).pw_gid,
                extra_groups=[] if self.user else None,
                start_new_session=True,  # Ctrl-C must not reach it: the cluster stops in order
                preexec_fn=self._die_with_parent,
            )

    async def wait_until_ready(self) -> None:
        """Wait until it is ready; raise `RuntimeError` with its log if it exits instead."""
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while not await self.is_ready():
                if not self.is_alive:
                    raise RuntimeError(f"{self.name} exited:\n{self.log}")
                await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, stop_signal: signal.Signals | None = None) -> None:
        """Stop it with this signal or its own, and wait until it has exited."""
        if self.process is None:
            return
        for process in self._process_tree():  # paused processes could not exit
            _signal(process, signal.SIGCONT)
        _signal(self.process.pid, stop_signal or self.end)
        try:
            await self._wait_until_exited()
        except TimeoutError:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill it and its descendants with SIGKILL."""
        for process in self._process_tree():
            _signal(process, signal.SIGKILL)
        if self.process:
            self.process.wait()

    def processor_seconds(self) -> float:
        """Return the processor time of it and its descendants, in seconds."""
        ticks = 0
        for process in self._process_tree():
            with suppress(OSError):  # exited just now: its parent counts it
                fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))  # its own and those of exited children
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Return the resident memory of its process, in bytes."""
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def pause(self) -> None:
        """Suspend it and its descendants with SIGSTOP."""
        for process in self._process_tree():
            _signal(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it and its descendants."""
        for process in self._process_tree():
            _signal(process, signal.SIGCONT)

    @property
    def is_alive(self) -> bool:
        """Whether its process is running."""
        return self.process is not None and self.process.poll() is None

    @property
    def log_path(self) -> Path:
        """The file of its log."""
        return self.folder / f"{self.name}.log"

    @property
    def log(self) -> str:
        """The content of its log."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    async def _wait_until_exited(self) -> None:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while self.is_alive:  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL_SECONDS)

    def _process_tree(self) -> list[int]:
        """Return the ids of its process and its descendants, parents first."""
        found = [self.process.pid] if self.process and self.is_alive else []
        for process in found:
            with suppress(OSError):
                children = Path(f"/proc/{process}/task/{process}/children").read_text()
                found += map(int, children.split())
        return found

    def _die_with_parent(self) -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, self.parent_death_signal)


class Postgres(ManagedProcess):
    """A PostgreSQL server with one database. It cannot run as root, so its folder is separate."""

    end = signal.SIGINT
    parent_death_signal = signal.SIGQUIT

    def __init__(self) -> None:
        super().__init__("postgres", Path(tempfile.mkdtemp(prefix="anonchat-postgres-")))
        self._programs = _find_postgres()
        self.data = self.folder / "data"
        if os.getuid() == 0:
            self.user = _find_user("postgres", "nobody")
            shutil.chown(self.folder, self.user)

    @property
    def url(self) -> str:
        """The URL of the database, for the settings."""
        return f"postgresql://anonchat@127.0.0.1:{self.port}/anonchat"

    def command(self) -> Sequence[str | Path]:
        """Return the command line; the log holds no values, as in production."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_parameter_max_length_on_error": "0",
            "log_min_error_statement": "panic",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._programs / "postgres", "-D", self.data, *options]

    async def prepare(self) -> None:
        """Create the files of an empty server."""
        await self._run("initdb", "-D", self.data, "-U", "anonchat", "-A", "trust", "-E", "UTF8",
                        "--locale=C.UTF-8", "--no-sync")  # fmt: skip

    async def start(self) -> None:
        """Start it, and create the database on the first start."""
        is_new = not self.data.exists()
        if is_new:
            await self.prepare()
        await super().start()
        if is_new:
            address = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "anonchat")
            await self._run("createdb", *address, "anonchat")

    async def is_ready(self) -> bool:
        """Return whether it accepts connections."""
        check = await asyncio.create_subprocess_exec(
            *(self._programs / "pg_isready", "-q", "-t", "2"),
            *("-h", "127.0.0.1", "-p", str(self.port)),
        )
        return await check.wait() == 0

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _run(self, program: str, *arguments: str | Path) -> None:
        run = await asyncio.to_thread(  # not every event loop can start a process as another user
            subprocess.run,
            [self._programs / program, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            user=self.user,
            group=self.user and pwd.getpwnam(self.user).pw_gid,
            extra_groups=[] if self.user else None,
        )
        if run.returncode:
            raise RuntimeError(f"{program} failed:\n{run.stdout.decode(errors='replace')}")


class Redis(ManagedProcess):
    """A Redis or Valkey server without persistence."""

    def __init__(self, folder: Path) -> None:
        super().__init__("redis", folder)

    @property
    def url(self) -> str:
        """Its URL, for the settings."""
        return f"redis://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        program = shutil.which("valkey-server") or _find_program("redis-server")
        return [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                "--appendonly", "no", "--dir", self.folder, "--loglevel", "warning"]  # fmt: skip

    async def is_ready(self) -> bool:
        """Return whether it answers."""
        return (await _request(self.port, "PING\r\n")).startswith("+PONG")


class Node(ManagedProcess):
    """An anonchat node."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(name, folder)
        self.settings = dict(settings)
        self.extra_environment: dict[str, str] = {}
        """Additional environment variables."""

    @property
    def address(self) -> str:
        """Its address, as host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [sys.executable, ROOT / "main.py"]

    def environment(self) -> Mapping[str, str]:
        """Return its environment variables, including the settings."""
        settings = {
            "port": str(self.port),
            "data_dir": str(self.data),
            "node_id": self.name,
            "trusted_proxies": "127.0.0.1",
            **self.settings,
        }
        return {
            **super().environment(),
            "HOME": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **self.extra_environment,
            **{f"ANONCHAT_{name.upper()}": value for name, value in settings.items()},
        }

    async def is_ready(self) -> bool:
        """Return whether `/readyz` answers 200."""
        request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return (await _request(self.port, request)).startswith("HTTP/1.1 200")


class Nginx(ManagedProcess):
    """nginx as the reverse proxy of the nodes, with the configuration of deploy/nginx."""

    parent_death_signal = signal.SIGTERM

    def __init__(self, folder: Path, nodes: Sequence[Node], *, port: int = 0) -> None:
        super().__init__("nginx", folder)
        self.port = port or self.port
        self._nodes = nodes

    @property
    def url(self) -> str:
        """The URL for browsers."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        user = ["-g", "user root;"] if os.getuid() == 0 else []  # else it cannot read its folder
        paths = ["-c", self.folder / "nginx.conf", "-e", self.log_path]
        return [_find_program("nginx"), *paths, *user]

    async def prepare(self) -> None:
        """Write its configuration."""
        await super().prepare()
        nodes = write_nodes({node.name: node.address for node in self._nodes})
        (self.folder / "nodes.conf").write_text(nodes)
        site = (NGINX / "anonchat.conf").read_text()
        for original, replacement in {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "/var/cache/nginx/anonchat": f"{self.folder}/cache",
            "root /usr/share/anonchat;": f"root {NGINX};",
        }.items():
            assert original in site, f"anonchat.conf does not contain {original}"
            site = site.replace(original, replacement)
        (self.folder / "anonchat.conf").write_text(site)
        _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
        (self.folder / "nginx.conf").write_text(
            _NGINX_CONF.format(folder=self.folder, files=min(files, _MAX_FILES))
        )

    async def is_ready(self) -> bool:
        """Return whether a node answers through it."""
        request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return (await _request(self.port, request)).startswith("HTTP/1.1 200")


class Cluster:
    """A whole cluster; once started, each process can be stopped and restarted separately."""

    def __init__(self, *, nodes: int = 3, port: int = 0, settings: Mapping[str, str] | None = None):
        self.folder = Path(tempfile.mkdtemp(prefix="anonchat-cluster-"))
        self.postgres = Postgres()
        self.redis = Redis(self.folder / "redis")
        shared = {
            "database_url": self.postgres.url,
            "bus_url": self.redis.url,
            "secret_key": secrets.token_urlsafe(32),
            **(settings or {}),
        }
        names = [f"n{number}" for number in range(1, nodes + 1)]
        self.nodes = [Node(name, self.folder / name, shared) for name in names]
        self.nginx = Nginx(self.folder / "nginx", self.nodes, port=port)

    @property
    def url(self) -> str:
        """The URL for browsers."""
        return self.nginx.url

    @property
    def port(self) -> int:
        """The port for browsers."""
        return self.nginx.port

    @property
    def parts(self) -> Sequence[ManagedProcess]:
        """All processes, in starting order."""
        return [self.postgres, self.redis, *self.nodes, self.nginx]

    async def start(self) -> None:
        """Start everything and wait until it is ready; stop everything on any error."""
        await self.start_stores()
        await self.start_nodes()

    async def start_stores(self) -> None:
        """Start PostgreSQL and Redis."""
        try:
            for part in (self.redis, *self.nodes, self.nginx):
                await part.prepare()
            await self.postgres.start()
            await self.redis.start()
        except BaseException:
            await self.stop()
            raise

    async def start_nodes(self) -> None:
        """Start the nodes and nginx."""
        try:
            for node in self.nodes:
                if not node.is_alive:
                    node.launch()
            for node in self.nodes:
                await node.wait_until_ready()
            await self.nginx.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, nginx first, and remove all data."""
        try:
            await self.nginx.stop()
            await asyncio.gather(*(node.stop() for node in self.nodes))
            await self.redis.stop()
            await self.postgres.stop()
        finally:
            for part in self.parts:
                part.kill()
            self.remove()

    def remove(self) -> None:
        """Remove all data."""
        self.postgres.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def __aenter__(self) -> "Cluster":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def _request(port: int, request: str) -> str:
    """Return the first 64 bytes of the response, or `""` if there is none within 5 seconds."""
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request.encode())
                return (await reader.read(64)).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _find_program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed (tools/packages.sh installs what is missing)")
    return found


def _find_postgres() -> Path:
    """Return the folder of PostgreSQL's programs: the newest of Debian's, else from `PATH`."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if newest := max(found, key=lambda path: int(path.parts[-3]), default=None):
        return newest.parent
    return Path(_find_program("initdb")).resolve().parent


def _find_user(*names: str) -> str:
    known = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in names if name in known)


_NGINX_CONF = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{
    worker_connections {files};
}}
worker_rlimit_nofile {files};
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include nodes.conf;
    include anonchat.conf;
}}
"""


async def _main() -> None:
    cluster = Cluster(
        nodes=int(os.environ.get("NODES", "3")), port=int(os.environ.get("PORT", "8080"))
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with cluster:
        _print(f"listening at {cluster.url}: {len(cluster.nodes)} nodes, with their logs in")
        _print(f"{cluster.folder}; Ctrl-C stops it and removes all data")
        await _watch(cluster, stopped)


async def _watch(cluster: Cluster, stopped: asyncio.Event) -> None:
    reported: set[str] = set()
    while not stopped.is_set():
        for part in cluster.parts:
            if not part.is_alive and part.name not in reported:
                reported.add(part.name)
                _print(f"{part.name} exited:\n{part.log[-2_000:]}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 1)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except RuntimeError as error:
        sys.exit(str(error))
