"""The web manifest, by which a phone can keep the site among its apps."""

from mimetypes import guess_type

from fastapi.responses import JSONResponse
from nicegui import app

from .context import PageContext
from .layout import BROWSER_COLORS, ICON, MANIFEST, asset_url

_ICONS = (  # name, size, purpose
    (ICON.name, "any", "any"),
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("icon-maskable.png", "512x512", "maskable"),
)


def register(context: PageContext) -> None:
    """Add the manifest. Its URLs are relative to it."""
    name = context.chat.settings.name
    manifest = {
        "name": name,
        "short_name": name,
        "start_url": ".",
        "scope": ".",
        "display": "standalone",
        "background_color": BROWSER_COLORS["light"],
        "theme_color": BROWSER_COLORS["light"],
        "icons": [
            {
                "src": asset_url(name),
                "sizes": size,
                "type": guess_type(name)[0],
                "purpose": purpose,
            }
            for name, size, purpose in _ICONS
        ],
    }

    @app.get(f"/{MANIFEST}", include_in_schema=False)
    def read_manifest() -> JSONResponse:
        headers = {"Cache-Control": "max-age=3600"}
        return JSONResponse(manifest, headers=headers, media_type="application/manifest+json")
