"""Reverse proxies, configured as in `deploy/` and in the documentation."""

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tools.servers.nginx import Nginx
from tools.servers.node import Node
from tools.servers.process import ROOT, ManagedProcess
from tools.servers.programs import find_program
from tools.servers.request import is_status_ok

_DEPLOY = ROOT / "deploy"
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
        try:
            self._program = find_program(program)
        except RuntimeError as error:
            pytest.skip(str(error))

    async def is_ready(self) -> bool:
        """Return whether a server answers through it."""
        return await is_status_ok(self.port, f"{self._path}healthz")

    def environment(self) -> Mapping[str, str]:
        """Return its environment variables; Caddy writes to its home folder."""
        return {**super().environment(), "HOME": str(self.folder)}

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [self._program, *self.arguments()]

    @abstractmethod
    def arguments(self) -> Sequence[str | Path]:
        """Return the arguments of the program."""

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

    def write_configuration(self) -> None:
        """Write its configuration."""
        super().write_configuration()
        site = self.folder / "anonchat.conf"
        limit = "limit_conn anonchat_addresses"
        assert f"{limit} 2000;" in site.read_text()
        text = site.read_text().replace(f"{limit} 2000;", f"{limit} {self._connections};")
        site.write_text(text)
