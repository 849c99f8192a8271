"""Themes: the colours, font and shapes of the pages; their contrast is checked at the start."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from coloraide import Color

from ..colors import COLORS
from ..errors import StartupError
from ..settings import Settings

SCHEMES = ("light", "dark")
AA, AAA = 4.5, 7.0
"""The contrasts that WCAG 2.2 demands of texts."""
AA_SHAPES = 3.0
"""The contrast that it demands of the borders of fields, and of signs."""

# The same as in theme.css. Accents take hue and chroma of the accent colour: so any colour will do.
_LIGHT = {
    "paper": "oklch(98.7% 0.005 85)",
    "surface": "oklch(100% 0 0)",
    "sunken": "oklch(96.5% 0.008 85)",
    "hover": "oklch(94.5% 0.01 85)",
    "line": "oklch(90.5% 0.011 85)",
    "field-line": "oklch(60% 0.012 85)",
    "ink": "oklch(24% 0.012 70)",
    "ink-soft": "oklch(44% 0.014 70)",
    "ink-faint": "oklch(51% 0.014 70)",
    "accent": "oklch(from var(--accent-base) 47% c h)",
    "accent-strong": "oklch(from var(--accent-base) 41% c h)",
    "on-accent": "oklch(99% 0 0)",
    "accent-soft": "oklch(from var(--accent-base) 95.2% calc(c * 0.15) h)",
    "accent-text": "oklch(from var(--accent-base) 45% c h)",
    "ember": "oklch(51% 0.14 50)",
    "ember-soft": "oklch(95.5% 0.035 75)",
    "danger": "oklch(50% 0.19 27)",
    "fresh": "oklch(54% 0.13 155)",
}
_DARK = {
    "paper": "oklch(18.5% 0.012 270)",
    "surface": "oklch(22% 0.014 270)",
    "sunken": "oklch(16% 0.011 270)",
    "hover": "oklch(26% 0.016 270)",
    "line": "oklch(30% 0.016 270)",
    "field-line": "oklch(56% 0.016 270)",
    "ink": "oklch(93.5% 0.006 85)",
    "ink-soft": "oklch(77% 0.01 85)",
    "ink-faint": "oklch(69% 0.012 85)",
    "accent": "oklch(from var(--accent-base) 72% calc(c * 0.74) h)",
    "accent-strong": "oklch(from var(--accent-base) 78% calc(c * 0.68) h)",
    "on-accent": "oklch(17% 0.02 270)",
    "accent-soft": "oklch(from var(--accent-base) 29% calc(c * 0.3) h)",
    "accent-text": "oklch(from var(--accent-base) 80% calc(c * 0.6) h)",
    "ember": "oklch(78% 0.12 68)",
    "ember-soft": "oklch(29% 0.04 68)",
    "danger": "oklch(74% 0.14 27)",
    "fresh": "oklch(77% 0.13 155)",
}
DEFAULTS: Mapping[str, Mapping[str, str]] = {"light": _LIGHT, "dark": _DARK}
"""The colours by scheme and token, of which a theme replaces those that it names."""
_NICKNAMES = {"light": (0.45, 0.125), "dark": (0.83, 0.09)}  # lightness and chroma in theme.css

_GROUNDS = ("paper", "surface", "sunken")
_ROWS = (*_GROUNDS, "hover", "accent-soft")
PAIRS: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("ink", _ROWS, AA),
    ("ink-soft", _ROWS, AA),
    ("ink-faint", _ROWS, AA),
    ("accent-text", _ROWS, AA),
    ("accent", ("paper", "surface"), AA),
    ("accent", ("sunken", "hover"), AA_SHAPES),
    ("on-accent", ("accent", "accent-strong", "danger", "ember", "fresh", "ink-soft"), AA),
    ("ember", (*_GROUNDS, "hover", "ember-soft"), AA),
    ("danger", _GROUNDS, AA),
    ("fresh", _GROUNDS, AA_SHAPES),
    ("field-line", _GROUNDS, AA_SHAPES),
)
"""Each colour of a text or sign, the colours behind it, and the contrast that it needs."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_RELATIVE = re.compile(
    r"oklch\(from var\(--accent-base\) ([\d.]+)% (?:c|calc\(c \* ([\d.]+)\)) h\)"
)
_NAME_MAX = 60  # characters
_LENGTH = re.compile(r"0|\d+(\.\d+)?(px|rem)")
_FONT = re.compile(r"""[\w\s,."'-]*""")
_DENSITIES = {"": "", "compact": "0.7", "cosy": "1.25"}
_PICTURES = (".svg", ".png", ".webp")
_FILE_NAME = re.compile(r"[\w.-]+", re.ASCII)
_URL = re.compile(r"""url\(\s*["']?([^"')]+?)["']?\s*\)""")


@dataclass(frozen=True, eq=False)
class Theme:
    """The look of the site. Whatever is left empty stays as it is in the theme `paper`.

    `light` and `dark` are colours by token, in the notations of CSS; `_` may stand for `-`.
    `accent` is a colour whose hue and chroma are used. `font` is a list of font families, `radius`
    a length such as `4px`, `density` is "compact" or "cosy". `product_name` is the name of the site
    if the theme is that of the site, and ANONCHAT_NAME is not set. `headline` is what the login
    page says. Raises `ValueError`.
    """

    name: str
    title: str = ""
    accent: str = ""
    light: Mapping[str, str] = field(default_factory=dict)
    dark: Mapping[str, str] = field(default_factory=dict)
    font: str = ""
    radius: str = ""
    density: str = ""
    logo: Path | None = None
    product_name: str = ""
    headline: str = ""
    css: Path | None = None

    def __post_init__(self) -> None:
        _require(_NAME.fullmatch(self.name), f"theme {self.name!r}: needs a name such as night-sky")
        for scheme in SCHEMES:
            object.__setattr__(self, scheme, self._normalize(getattr(self, scheme)))
        object.__setattr__(self, "title", self.title or self.name.replace("-", " ").capitalize())
        self._require(not self.accent or _is_color(self.accent), "accent needs a colour")
        self._require(_FONT.fullmatch(self.font), "font needs names of fonts, separated by commas")
        self._require(
            not self.radius or _LENGTH.fullmatch(self.radius), "radius needs a length such as 4px"
        )
        self._require(self.density in _DENSITIES, "density needs compact or cosy")
        self._require(
            len(self.product_name) <= _NAME_MAX and self.product_name.isprintable(),
            f"product_name needs at most {_NAME_MAX} visible characters",
        )
        for text in (self.title, self.headline):
            self._require(not set(text) & set("{}"), "texts cannot contain { and }")
        self._require(
            self.logo is None or self.logo.suffix in _PICTURES, "logo needs .svg, .png or .webp"
        )
        self._require(self.css is None or self.css.suffix == ".css", "css needs .css")
        for path in self.files:
            self._require(path.is_file(), f"there is no file {path}")
            self._require(_FILE_NAME.fullmatch(path.name), f"{path.name}: needs a plain name")

    @property
    def files(self) -> list[Path]:
        """The files that its pages load: style sheet, logo, and what the sheet names beside it."""
        given = [path for path in (self.css, self.logo) if path]
        if self.css is None or not self.css.is_file():
            return given
        named = {name for name in _URL.findall(self.css.read_text()) if _FILE_NAME.fullmatch(name)}
        return list(dict.fromkeys([*given, *(self.css.with_name(name) for name in sorted(named))]))

    def style(self) -> str:
        """Return the CSS properties that it sets, as a rule."""
        properties = {
            name: f"light-dark({self.color(name, 'light')}, {self.color(name, 'dark')})"
            for name in DEFAULTS["light"]
            if name in self.light or name in self.dark
        }
        if self.accent:
            properties["accent-base"] = self.accent
        if self.font:
            properties["font"] = self.font
        if self.radius:
            properties["round"] = "0px" if self.radius == "0" else self.radius
        if self.density:
            properties["density"] = _DENSITIES[self.density]
        declarations = "".join(f" --{name}: {value};" for name, value in properties.items())
        return f":root {{{declarations} }}" if declarations else ""

    def color(self, token: str, scheme: str) -> str:
        """Return the colour of a token as CSS."""
        given: Mapping[str, str] = getattr(self, scheme)
        return given.get(token, DEFAULTS[scheme][token])

    def hex_color(self, token: str, scheme: str, *, accent: str) -> str:
        """Return the colour of a token as `#rrggbb`; `accent` is that of the site."""
        color = _resolve(self.color(token, scheme), self.accent or accent)
        return color.to_string(hex=True)

    def contrasts(self, *, accent: str) -> Iterator["Contrast"]:
        """Yield the contrast of each checked pair; `accent` is the accent colour of the site."""
        for scheme in SCHEMES:
            luminances = {
                token: _luminance(_resolve(self.color(token, scheme), self.accent or accent))
                for token in DEFAULTS[scheme]
            }
            for text, grounds, needed in PAIRS:
                for ground in grounds:
                    ratio = _ratio(luminances[text], luminances[ground])
                    yield Contrast(text, ground, scheme, ratio, needed)
            lightness, chroma = _NICKNAMES[scheme]
            for number in range(COLORS):
                color = Color("oklch", [lightness, chroma, number * 360 // COLORS])
                for ground in ("paper", "sunken"):
                    ratio = _ratio(_luminance(_shown(color)), luminances[ground])
                    yield Contrast("a nickname", ground, scheme, ratio, AA)

    def _normalize(self, colors: Mapping[str, str]) -> dict[str, str]:
        normalized = {name.replace("_", "-"): value for name, value in colors.items()}
        for name, value in normalized.items():
            known = ", ".join(DEFAULTS["light"])
            self._require(name in DEFAULTS["light"], f"there is no colour {name}, but {known}")
            self._require(_is_color(value), f"{name} needs a colour, got {value!r}")
        return normalized

    def _require(self, condition: object, reason: str) -> None:
        _require(condition, f"theme {self.name}: {reason}")


class Contrast(NamedTuple):
    """The contrast of a text or sign with what is behind it."""

    text: str
    ground: str
    scheme: str
    ratio: float
    needed: float


def check_contrast(theme: Theme, *, accent: str) -> None:
    """Raise `ValueError` for the first pair of colours whose contrast is too low.

    `accent` is the accent colour of the site, which the theme may replace.
    """
    for text, ground, scheme, ratio, needed in theme.contrasts(accent=accent):
        if ratio < needed:
            shown = int(ratio * 10) / 10  # not rounded up to what is needed
            raise ValueError(
                f"theme {theme.name}: {text} on {ground} has a contrast of {shown}, "
                f"AA needs {needed} ({scheme})"
            )


def _make_error(_theme: Theme, reason: str) -> StartupError:
    return StartupError(reason)


def load_themes(
    themes: Iterable[Theme],
    *,
    chosen: str,
    accent: str,
    make_error: Callable[[Theme, str], StartupError] = _make_error,
) -> dict[str, Theme]:
    """Return the themes by name, the chosen one first. Raises `StartupError`.

    There is always `paper`, which looks like the style sheet has it. `make_error` makes the error
    of a theme that cannot be read, from the reason.
    """
    by_name = {"paper": Theme("paper")} | {theme.name: theme for theme in themes}
    if chosen not in by_name:
        *names, last = by_name
        known = f"{', '.join(names)} or {last}" if names else last
        raise StartupError(f"ANONCHAT_THEME: needs {known}, got {chosen!r}")
    for theme in by_name.values():
        try:
            check_contrast(theme, accent=accent)
        except ValueError as error:
            raise make_error(theme, f"{error}") from error
    return {chosen: by_name[chosen], **by_name}


def name_site(settings: Settings, theme: Theme) -> Settings:
    """Return the settings with the theme's name of the site, unless ANONCHAT_NAME is set."""
    if not theme.product_name or "name" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"name": theme.product_name})


def _is_color(text: str) -> bool:
    """Return whether a text is an opaque colour that browsers know."""
    try:
        return Color(text).alpha() == 1 and "--" not in text
    except ValueError:
        return False


def _resolve(css: str, accent: str) -> Color:
    """Return a colour as a browser shows it."""
    if not (relative := _RELATIVE.fullmatch(css)):
        return _shown(Color(css))
    base = Color(accent).convert("oklch", norm=False)
    lightness, factor = float(relative[1]) / 100, float(relative[2] or 1)
    return _shown(Color("oklch", [lightness, base["chroma"] * factor, base["hue"]]))


def _shown(color: Color) -> Color:
    return color.convert("srgb").clip()


def _luminance(color: Color) -> float:
    return float(color.luminance())


def _ratio(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _require(condition: object, reason: str) -> None:
    if not condition:
        raise ValueError(reason)
