#!/usr/bin/env python3
"""Writes nodes.conf, which tells nginx of the nodes: nodes.py n1=10.0.0.1:8080 n2=10.0.0.2:8080."""

import sys
from collections.abc import Mapping

_SERVER = "    server {address} max_fails=1 fail_timeout=2s{backup};"


def write_nodes(nodes: Mapping[str, str]) -> str:
    """Return the upstreams: one of all nodes, and one for each of them with the others behind it.

    A page's socket belongs to the node that drew the page. If that is gone, another one refuses it,
    at which the page loads itself anew from a node that lives.
    """
    blocks = [_write_upstream("anonchat", {address: "" for address in nodes.values()})]
    for own in nodes:
        ranks = {address: "" if name == own else " backup" for name, address in nodes.items()}
        blocks.append(_write_upstream(f"anonchat-{own}", ranks))
    ways = [f"    {name} anonchat-{name};" for name in nodes]
    choice = ["map $arg_node $anonchat_node {", *ways, "    default anonchat;", "}"]
    return "\n\n".join(["# Written by nodes.py.", *blocks, "\n".join(choice)]) + "\n"


def _write_upstream(name: str, ranks: Mapping[str, str]) -> str:
    servers = [_SERVER.format(address=address, backup=backup) for address, backup in ranks.items()]
    return "\n".join([f"upstream {name} {{", f"    zone {name} 64k;", *servers, "}"])


if __name__ == "__main__":
    sys.stdout.write(write_nodes(dict(word.split("=", 1) for word in sys.argv[1:])))
