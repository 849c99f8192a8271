"""A whole site on this machine: PostgreSQL, Redis, some nodes, and nginx before them.

`make cluster` runs it for trying; tests and benchmarks take it apart. All of it listens on
127.0.0.1, keeps what it keeps in a folder that goes with it, and dies with this process.
"""

import asyncio
import ctypes
import os
import pwd
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.nginx.nodes import write_nodes

ROOT = Path(__file__).parents[1]
NGINX = ROOT / "deploy" / "nginx"
PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.05
_FILES_MOST = 100_000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Part(ABC):
    """A program that runs on a port of its own; it may be ended, paused and started again."""

    end = signal.SIGTERM
    """How it is asked to end."""
    orphaned = signal.SIGKILL
    """What ends it, and all that it has started, when we die."""
    user: str | None = None
    """As whom it runs, if not as we do."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the words that start it."""

    @abstractmethod
    async def is_ready(self) -> bool:
        """Tell whether it does its work."""

    def environment(self) -> Mapping[str, str]:
        """Return what it finds around it."""
        return {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}

    async def prepare(self) -> None:
        """Make what it needs before it is started for the first time."""
        self.folder.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.launch()
        await self.wait_until_ready()

    def launch(self) -> None:
        """Start it."""
        with self.log_path.open("ab") as log:
            # In this thread, for it dies with the thread that has begun it.
            self.process = subprocess.Popen(
                [str(word) for word in self.command()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user and pwd.getpwnam(self.user).pw_gid,
                extra_groups=[] if self.user else None,
                start_new_session=True,  # Ctrl-C is for us, and we end the parts in their order
                preexec_fn=self._die_with_parent,
            )

    async def wait_until_ready(self) -> None:
        """Wait until it is ready; raise `RuntimeError` with its log if it ends instead."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self.is_ready():
                if not self.is_alive:
                    raise RuntimeError(f"{self.name} has ended:\n{self.log}")
                await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, how: signal.Signals | None = None) -> None:
        """End it, in its own way or in another, and wait until it is gone."""
        if self.process is None:
            return
        for process in self._family():  # one that is paused could not end
            _signal(process, signal.SIGCONT)
        _signal(self.process.pid, how or self.end)
        try:
            await self._wait()
        except TimeoutError:
            self.kill()
            raise

    def kill(self) -> None:
        """End it as a power cut does, with everything that it has started."""
        for process in self._family():
            _signal(process, signal.SIGKILL)
        if self.process:
            self.process.wait()

    def processor(self) -> float:
        """Return the seconds of processor time that it and all that it has started have taken."""
        taken = 0
        for process in self._family():
            with suppress(OSError):  # it has just ended, and counts where it was begun
                fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                taken += sum(map(int, fields[11:15]))  # its own, and of those that it has outlived
        return taken / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Return the bytes of memory that its process holds."""
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def pause(self) -> None:
        """Let it do nothing at all, as a machine that is out of breath does."""
        for process in self._family():
            _signal(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        for process in self._family():
            _signal(process, signal.SIGCONT)

    @property
    def is_alive(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def log_path(self) -> Path:
        """Where it writes what it has to say."""
        return self.folder / f"{self.name}.log"

    @property
    def log(self) -> str:
        """What it has said."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    async def _wait(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.is_alive:  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL_SECONDS)

    def _family(self) -> list[int]:
        """Return its process and all that it has started, those first that start others."""
        found = [self.process.pid] if self.process and self.is_alive else []
        for process in found:
            with suppress(OSError):
                children = Path(f"/proc/{process}/task/{process}/children").read_text()
                found += map(int, children.split())
        return found

    def _die_with_parent(self) -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, self.orphaned)


class Postgres(Part):
    """A PostgreSQL with one empty database. It refuses to be root, so it has a folder elsewhere."""

    end = signal.SIGINT
    orphaned = signal.SIGQUIT

    def __init__(self) -> None:
        super().__init__("postgres", Path(tempfile.mkdtemp(prefix="anonchat-postgres-")))
        self._programs = _find_postgres()
        self.data = self.folder / "data"
        if os.getuid() == 0:
            self.user = _find_user("postgres", "nobody")
            shutil.chown(self.folder, self.user)

    @property
    def url(self) -> str:
        """The address of the database, as a setting."""
        return f"postgresql://anonchat@127.0.0.1:{self.port}/anonchat"

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it; its log holds no values, as those of a real site."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_parameter_max_length_on_error": "0",
            "log_min_error_statement": "panic",
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._programs / "postgres", "-D", self.data, *given]

    async def prepare(self) -> None:
        """Make the files of an empty server."""
        await self._run("initdb", "-D", self.data, "-U", "anonchat", "-A", "trust", "-E", "UTF8",
                        "--locale=C.UTF-8", "--no-sync")  # fmt: skip

    async def start(self) -> None:
        """Start it, and make the database if there is none."""
        is_new = not self.data.exists()
        if is_new:
            await self.prepare()
        await super().start()
        if is_new:
            at = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "anonchat")
            await self._run("createdb", *at, "anonchat")

    async def is_ready(self) -> bool:
        """Tell whether it takes connections."""
        asked = await asyncio.create_subprocess_exec(
            *(self._programs / "pg_isready", "-q", "-t", "2"),
            *("-h", "127.0.0.1", "-p", str(self.port)),
        )
        return await asked.wait() == 0

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _run(self, program: str, *words: str | Path) -> None:
        run = await asyncio.to_thread(  # not every loop can start something as somebody else
            subprocess.run,
            [self._programs / program, *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            user=self.user,
            group=self.user and pwd.getpwnam(self.user).pw_gid,
            extra_groups=[] if self.user else None,
        )
        if run.returncode:
            raise RuntimeError(f"{program} has failed:\n{run.stdout.decode(errors='replace')}")


class Redis(Part):
    """A Redis, or Valkey, that writes nothing down."""

    def __init__(self, folder: Path) -> None:
        super().__init__("redis", folder)

    @property
    def url(self) -> str:
        """Its address, as a setting."""
        return f"redis://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it."""
        program = shutil.which("valkey-server") or _find_program("redis-server")
        return [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                "--appendonly", "no", "--dir", self.folder, "--loglevel", "warning"]  # fmt: skip

    async def is_ready(self) -> bool:
        """Tell whether it answers."""
        return (await _ask(self.port, "PING\r\n")).startswith("+PONG")


class Node(Part):
    """A process of anonchat."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(name, folder)
        self.settings = dict(settings)
        self.around: dict[str, str] = {}
        """What else it finds around it."""

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it."""
        return [sys.executable, ROOT / "main.py"]

    def environment(self) -> Mapping[str, str]:
        """Return what it finds around it: its settings."""
        given = {
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
            **self.around,
            **{f"ANONCHAT_{name.upper()}": value for name, value in given.items()},
        }

    async def is_ready(self) -> bool:
        """Tell whether it is ready to serve."""
        request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return (await _ask(self.port, request)).startswith("HTTP/1.1 200")


class Nginx(Part):
    """nginx before the nodes, as deploy/nginx has it."""

    orphaned = signal.SIGTERM

    def __init__(self, folder: Path, nodes: Sequence[Node], *, port: int = 0) -> None:
        super().__init__("nginx", folder)
        self.port = port or self.port
        self._nodes = nodes

    @property
    def url(self) -> str:
        """The address that a browser opens."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it."""
        own = ["-g", "user root;"] if os.getuid() == 0 else []  # else it could not read its folder
        place = ["-c", self.folder / "nginx.conf", "-e", self.log_path]
        return [_find_program("nginx"), *place, *own]

    async def prepare(self) -> None:
        """Write its configuration."""
        await super().prepare()
        nodes = write_nodes({node.name: node.address for node in self._nodes})
        (self.folder / "nodes.conf").write_text(nodes)
        site = (NGINX / "anonchat.conf").read_text()
        for usual, here in {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "/var/cache/nginx/anonchat": f"{self.folder}/cache",
            "root /usr/share/anonchat;": f"root {NGINX};",
        }.items():
            assert usual in site, f"anonchat.conf says nothing of {usual}"
            site = site.replace(usual, here)
        (self.folder / "anonchat.conf").write_text(site)
        _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
        (self.folder / "nginx.conf").write_text(
            _AROUND.format(folder=self.folder, files=min(files, _FILES_MOST))
        )

    async def is_ready(self) -> bool:
        """Tell whether a page can be had through it."""
        request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return (await _ask(self.port, request)).startswith("HTTP/1.1 200")


class Cluster:
    """All of it. Of a cluster that was started, each part may be stopped and started by itself."""

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
        """The address that a browser opens."""
        return self.nginx.url

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.nginx.port

    @property
    def parts(self) -> Sequence[Part]:
        """Everything that runs, in the order of starting."""
        return [self.postgres, self.redis, *self.nodes, self.nginx]

    async def start(self) -> None:
        """Start everything, and wait until it is ready; what has begun ends if something fails."""
        await self.start_stores()
        await self.start_nodes()

    async def start_stores(self) -> None:
        """Start what the nodes stand on."""
        try:
            for part in (self.redis, *self.nodes, self.nginx):
                await part.prepare()
            await self.postgres.start()
            await self.redis.start()
        except BaseException:
            await self.stop()
            raise

    async def start_nodes(self) -> None:
        """Start the nodes, and the way in."""
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
        """End everything, the world's way in first, and remove what it has kept."""
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
        """Remove what it has kept."""
        self.postgres.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def __aenter__(self) -> "Cluster":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def _ask(port: int, request: str) -> str:
    """Return the beginning of what is answered there, or nothing if nobody answers in time."""
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


def _signal(process: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, how)


def _find_program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed (tools/packages.sh installs what is missing)")
    return found


def _find_postgres() -> Path:
    """Return the folder of PostgreSQL's programs: the newest, where Debian keeps them."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if newest := max(found, key=lambda path: int(path.parts[-3]), default=None):
        return newest.parent
    return Path(_find_program("initdb")).resolve().parent


def _find_user(*names: str) -> str:
    known = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in names if name in known)


_AROUND = """\
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
    ended = asyncio.Event()
    for end in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(end, ended.set)
    async with cluster:
        _tell(f"open at {cluster.url}: {len(cluster.nodes)} nodes, with their logs in")
        _tell(f"{cluster.folder}; Ctrl-C ends it and removes everything")
        await _watch(cluster, ended)


async def _watch(cluster: Cluster, ended: asyncio.Event) -> None:
    told: set[str] = set()
    while not ended.is_set():
        for part in cluster.parts:
            if not part.is_alive and part.name not in told:
                told.add(part.name)
                _tell(f"{part.name} has ended:\n{part.log[-2_000:]}")
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 1)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except RuntimeError as error:
        sys.exit(str(error))
