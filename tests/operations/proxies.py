"""Reverse proxies, configured as in `deploy/` and in the documentation."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tools.cluster import ROOT, ManagedProcess, Nginx, Node, _request

_DEPLOY = ROOT / "deploy"
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_NGINX_BLOCK = re.compile(r"```nginx\n(.*?)```", re.DOTALL)
_NGINX_CONF = """\
daemon off;
user root;
pid {folder}/nginx.pid;
events {{ }}
http {{
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        {block}
    }}
}}
"""


class Proxy(ManagedProcess):
    """A reverse proxy whose configuration is an example with other addresses in it."""

    def __init__(self, program: str, folder: Path, nodes: Sequence[Node]) -> None:
        super().__init__(program, folder)
        self._nodes = nodes
        self._path = "/"
        self._program = find_program(program)

    @property
    def url(self) -> str:
        """The URL for browsers."""
        return f"http://127.0.0.1:{self.port}"

    async def is_ready(self) -> bool:
        """Return whether a server answers through it."""
        host = f"127.0.0.1:{self.port}"
        request = f"GET {self._path}healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        return (await _request(self.port, request)).startswith("HTTP/1.1 200")

    def environment(self) -> Mapping[str, str]:
        """Return its environment variables; Caddy writes to its home folder."""
        return {**super().environment(), "HOME": str(self.folder)}

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [self._program, *self.arguments()]

    def arguments(self) -> Sequence[str | Path]:
        """Return the arguments of the program."""
        raise NotImplementedError

    def adapt(self, example: Path, changes: Mapping[str, str]) -> Path:
        """Write the example with the addresses of this test and other changes; return its path."""
        text = example.read_text()
        nodes = {f"127.0.0.1:808{n}": node.address for n, node in enumerate(self._nodes, 1)}
        for original, replacement in {**nodes, **changes}.items():
            assert original in text, f"{example.name} does not contain {original}"
            text = text.replace(original, replacement)
        path = self.folder / example.name
        path.write_text(text)
        return path


class HAProxy(Proxy):
    """HAProxy with `deploy/haproxy.cfg`."""

    def __init__(self, folder: Path, nodes: Sequence[Node], *, connections: int = 2000) -> None:
        super().__init__("haproxy", folder, nodes)
        self._connections = connections

    def arguments(self) -> Sequence[str | Path]:
        """Return the arguments of the program."""
        changes = {
            "bind :80": f"bind 127.0.0.1:{self.port}",
            "gt 2000 ": f"gt {self._connections} ",
        }
        return ["-db", "-f", self.adapt(_DEPLOY / "haproxy.cfg", changes)]


class Caddy(Proxy):
    """Caddy with `deploy/Caddyfile`."""

    def __init__(self, folder: Path, nodes: Sequence[Node]) -> None:
        super().__init__("caddy", folder, nodes)

    def arguments(self) -> Sequence[str | Path]:
        """Return the arguments of the program."""
        changes = {"\nchat.example {": f"\n{self.url} {{"}
        path = self.adapt(_DEPLOY / "Caddyfile", changes)
        path.write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{path.read_text()}")
        return ["run", "--adapter", "caddyfile", "--config", path]


class Traefik(Proxy):
    """Traefik with `deploy/traefik.yaml`."""

    def __init__(self, folder: Path, nodes: Sequence[Node]) -> None:
        super().__init__("traefik", folder, nodes)

    def arguments(self) -> Sequence[str | Path]:
        """Return the arguments of the program."""
        path = self.adapt(_DEPLOY / "traefik.yaml", {})
        entry_point = f"--entryPoints.web.address=127.0.0.1:{self.port}"
        return [entry_point, f"--providers.file.filename={path}", "--global.checkNewVersion=false"]


class DocumentedNginx(Proxy):
    """nginx with the block of `docs/operations.md` in front of one server, at `path`."""

    def __init__(self, folder: Path, address: str, *, path: str = "/") -> None:
        super().__init__("nginx", folder, ())
        self._address = address
        self._path = path

    def arguments(self) -> Sequence[str | Path]:
        """Return the arguments of the program."""
        (block,) = _NGINX_BLOCK.findall((ROOT / "docs" / "operations.md").read_text())
        block = block.replace("127.0.0.1:8080", self._address)
        block = block.replace("location / {", f"location {self._path} {{")
        path = self.folder / "nginx.conf"
        path.write_text(_NGINX_CONF.format(folder=self.folder, port=self.port, block=block))
        return ["-c", path, "-e", self.log_path]


class LimitedNginx(Nginx):
    """nginx with `deploy/nginx/` and another number of connections per address."""

    def __init__(self, folder: Path, nodes: Sequence[Node], *, connections: int = 2000) -> None:
        super().__init__(folder, nodes)
        self._connections = connections

    async def prepare(self) -> None:
        """Write its configuration."""
        await super().prepare()
        site = self.folder / "anonchat.conf"
        limit = "limit_conn anonchat_addresses"
        assert f"{limit} 2000;" in site.read_text()
        text = site.read_text().replace(f"{limit} 2000;", f"{limit} {self._connections};")
        site.write_text(text)


def find_program(name: str) -> str:
    """Return the path of a program; skip the test if it is not installed."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
