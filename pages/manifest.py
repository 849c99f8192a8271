"""The web manifest, by which a phone can keep the site among its apps."""

from fastapi.responses import JSONResponse
from nicegui import app

from .context import PageContext
from .layout import ICON, MANIFEST


def register(context: PageContext) -> None:
    """Add the manifest. Its URLs are relative to it."""
    name = context.chat.settings.name
    manifest = {
        "name": name,
        "short_name": name,
        "start_url": ".",
        "scope": ".",
        "display": "standalone",
        "icons": [{"src": f"assets/{ICON.name}", "sizes": "any", "type": "image/svg+xml"}],
    }

    @app.get(f"/{MANIFEST}", include_in_schema=False)
    def read_manifest() -> JSONResponse:
        headers = {"Cache-Control": "max-age=3600"}
        return JSONResponse(manifest, headers=headers, media_type="application/manifest+json")
