"""Preferences that a browser keeps in cookies."""

import json

from nicegui import ui

from ..http.auth import cookie_path

_YEAR = 31_536_000  # seconds


def preference_cookie(name: str, value: str) -> str:
    """Return the cookie that stores a preference, or removes it if `value` is ""."""
    path = cookie_path(ui.context.client.request)
    age = _YEAR if value else 0
    return f"{name}={value}; path={path}; max-age={age}; samesite=lax"


def remember_preference(name: str, value: str) -> None:
    """Store a preference in a cookie of the browser, or remove it if `value` is ""; reload."""
    cookie = preference_cookie(name, value)
    ui.run_javascript(f"document.cookie = {json.dumps(cookie)}; location.reload()")
