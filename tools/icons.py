"""Draws the PNG icons of pages/assets/: `python -m tools.icons`.

They show the dots of icon.svg in white on its colour. The corners of maskable icons and of Apple's
are cut off by the system, which always keeps the central circle with 80 % of the width.
"""

import asyncio
import re
from pathlib import Path

from playwright.async_api import async_playwright

from tests.chromium import QUIET, find_chromium

_ASSETS = Path(__file__).parents[1] / "pages" / "assets"
_ICONS = {  # name: width in pixels, radius of the corners, width of the dots as a share of it
    "icon-192.png": (192, 0.22, 0.84),
    "icon-512.png": (512, 0.22, 0.84),
    "icon-maskable.png": (512, 0, 0.76),
    "apple-touch-icon.png": (180, 0, 0.8),
}
_BODY = "<style>* {{ margin: 0 }} svg {{ display: block }}</style>{svg}"


def draw_icon(radius: float, share: float) -> str:
    """Return an icon as SVG."""
    source = (_ASSETS / "icon.svg").read_text()
    color = re.findall(r'fill="(#[0-9a-f]+)"', source)[0]
    dots = re.sub(r"</?svg[^>]*>", "", source).replace(color, "#fff")
    size = 26 / share
    left, top = 12.5 - size / 2, 13 - size / 2  # the dots are centred around (12.5, 13)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {size} {size}">'
        f'<rect x="{left}" y="{top}" width="{size}" height="{size}" rx="{size * radius}" '
        f'fill="{color}"/>{dots}</svg>'
    )


async def main() -> None:
    """Write all icons."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=list(QUIET)
        )
        for name, (width, radius, share) in _ICONS.items():
            page = await browser.new_page(viewport={"width": width, "height": width})
            await page.set_content(_BODY.format(svg=draw_icon(radius, share)))
            await page.screenshot(path=_ASSETS / name, omit_background=True)
            await page.close()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
