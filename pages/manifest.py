"""The web manifest, by which a phone can keep the site among its apps."""

from mimetypes import guess_type

from fastapi.responses import JSONResponse
from nicegui import app

from .asset_files import asset_url
from .context import PageContext
from .layout import ICON, MANIFEST
from .look import Look

_ICONS = (  # name, size, purpose
    (ICON.name, "any", "any"),
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("icon-maskable.png", "512x512", "maskable"),
)


def register(context: PageContext) -> None:
    """Add the manifest. Its URLs are relative to it."""
    settings = context.chat.settings
    name = settings.name
    look = Look(context.themes[settings.theme], "light", settings.accent)
    color = look.browser_colors()["light"]
    manifest = {
        "name": name,
        "short_name": name,
        "start_url": ".",
        "scope": ".",
        "display": "standalone",
        "background_color": color,
        "theme_color": color,
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
