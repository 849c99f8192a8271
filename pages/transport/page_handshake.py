"""The handshake of a page: the parameters that its socket sends, and who holds the page."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from nicegui import Client

_MAX_PARAM_CHARACTERS = 64
_MAX_PARAMS = 20
_REQUIRED_PARAMS = {"client_id", "tab_id", "document_id"}

HandshakeParams = dict[str, str]


@dataclass(frozen=True, slots=True)
class PageHolder:
    """Holder of a page: a visitor, a pass, or neither."""

    visitor_id: str = ""
    pass_id: str = ""

    @property
    def name(self) -> str:
        """The key under which the holder's sockets are counted; "" for neither."""
        return self.visitor_id or (f"pass {self.pass_id}" if self.pass_id else "")


def read_handshake_params(environ: dict[str, Any]) -> HandshakeParams | None:
    """Return the query parameters of a handshake, or `None` if no page could have sent them."""
    try:
        pairs = parse_qsl(environ.get("QUERY_STRING", ""), max_num_fields=_MAX_PARAMS)
        params = dict(pairs)
        int(params.get("next_message_id", "0"))
    except ValueError:
        return None
    if len(params) < len(pairs) or not _REQUIRED_PARAMS <= params.keys():
        return None
    return params if all(len(value) <= _MAX_PARAM_CHARACTERS for value in params.values()) else None


def find_holder(query: str) -> PageHolder:
    """Return the holder of the page that a socket's query string names."""
    try:
        page_ids = parse_qs(query, max_num_fields=_MAX_PARAMS).get("client_id", [])
    except ValueError:  # more parameters than any page sends
        return PageHolder()
    page = Client.instances.get(page_ids[0]) if len(page_ids) == 1 else None
    scope = page.request.scope if page and page.request else {}
    return PageHolder(scope.get("visitor", ""), scope.get("pass", ""))
