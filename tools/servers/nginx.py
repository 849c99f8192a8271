"""nginx as the reverse proxy of nodes."""

import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path

from deploy.nginx.nodes import write_nodes
from tools.servers.node import Node
from tools.servers.process import ROOT, ManagedProcess
from tools.servers.programs import find_program
from tools.servers.request import is_status_ok

NGINX = ROOT / "deploy" / "nginx"
_MAX_FILES = 100_000


class Nginx(ManagedProcess):
    """nginx as the reverse proxy of the nodes, with the configuration of deploy/nginx."""

    parent_death_signal = signal.SIGTERM

    def __init__(self, folder: Path, nodes: Sequence[Node], *, port: int = 0) -> None:
        super().__init__("nginx", folder)
        self.port = port or self.port
        self._nodes = nodes

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        paths = ("-c", self.folder / "nginx.conf", "-e", self.log_path)
        user = ("-g", "user root;") if os.getuid() == 0 else ()  # else it cannot read its folder
        return (find_program("nginx"), *paths, *user)

    def write_configuration(self) -> None:
        """Write its configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
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
        return await is_status_ok(self.port, "/healthz")


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
