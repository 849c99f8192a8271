#!/usr/bin/env python3
"""Writes nodes.conf, nginx's list of nodes: nodes.py n1=10.0.0.1:8080 n2=10.0.0.2:8080."""

import sys
from collections.abc import Mapping

_SERVER = "    server {address} max_fails=1 fail_timeout=2s{backup};"


def write_nodes(nodes: Mapping[str, str]) -> str:
    """Return the upstreams: one with all nodes, and one per node with the others as backups.

    A page's socket goes to the node that served the page. If that node is down, another one refuses
    the socket, and the page reloads itself from a running node.
    """
    blocks = [_write_upstream("anonchat", {address: "" for address in nodes.values()})]
    for own in nodes:
        backups = {address: "" if name == own else " backup" for name, address in nodes.items()}
        blocks.append(_write_upstream(f"anonchat-{own}", backups))
    entries = [f"    {name} anonchat-{name};" for name in nodes]
    node_map = ["map $arg_node $anonchat_node {", *entries, "    default anonchat;", "}"]
    return "\n\n".join(["# Written by nodes.py.", *blocks, "\n".join(node_map)]) + "\n"


def _write_upstream(name: str, backups: Mapping[str, str]) -> str:
    servers = [
        _SERVER.format(address=address, backup=backup) for address, backup in backups.items()
    ]
    return "\n".join([f"upstream {name} {{", f"    zone {name} 64k;", *servers, "}"])


if __name__ == "__main__":
    sys.stdout.write(write_nodes(dict(argument.split("=", 1) for argument in sys.argv[1:])))
