"""Preferences that a browser keeps in cookies."""

import json

from nicegui import ui

from ..http.auth import cookie_path

_YEAR = 31_536_000  # seconds


def remember_preference(name: str, value: str) -> None:
    """Store a preference in a cookie of the browser, or remove it if `value` is ""; reload."""
    path = cookie_path(ui.context.client.request)
    age = _YEAR if value else 0
    cookie = f"{name}={value}; path={path}; max-age={age}; samesite=lax"
    ui.run_javascript(f"document.cookie = {json.dumps(cookie)}; location.reload()")
