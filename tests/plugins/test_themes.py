"""Themes have readable colours, and wrong ones are refused in words."""

import re
from pathlib import Path

import pytest

from anonchat import Settings, StartupError, Theme
from anonchat.plugins.loading import load_file
from anonchat.plugins.registry import PluginRegistry
from anonchat.plugins.themes import (
    AAA,
    DEFAULTS,
    PAIRS,
    SCHEMES,
    check_contrast,
    load_themes,
    name_site,
)
from tests.fakes import THEMES

ROOT = Path(__file__).parents[2]
STYLE_SHEET = (ROOT / "pages/assets/theme.css").read_text()
GUIDE = (ROOT / "docs/design.md").read_text()
ACCENT = "#334fb8"

_ACCENTS = [
    ACCENT,
    "#000",
    "#fff",
    "#808080",
    "#ff0000",
    "#ffff00",
    "#00ff00",
    "#00ffff",
    "#ff00ff",
]


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("accent", _ACCENTS)
def test_themes_have_enough_contrast_with_any_accent(name: str, accent: str) -> None:
    check_contrast(THEMES[name], accent=accent)


def test_texts_of_high_contrast_satisfy_aaa() -> None:
    texts = [
        contrast
        for contrast in THEMES["contrast"].contrasts(accent=ACCENT)
        if contrast.needed == 4.5 and contrast.text != "a nickname"  # its style sheet makes it ink
    ]
    assert len(texts) > 60
    assert [contrast for contrast in texts if contrast.ratio < AAA] == []


def test_paper_changes_nothing() -> None:
    assert THEMES["paper"].style() == ""


@pytest.mark.parametrize("name", [name for name in THEMES if name != "paper"])
def test_other_themes_change_light_and_dark(name: str) -> None:
    for scheme in SCHEMES:
        ours, papers = (
            THEMES[each].hex_color("paper", scheme, accent=ACCENT) for each in (name, "paper")
        )
        assert ours != papers


def test_default_colours_are_those_of_the_style_sheet() -> None:
    found = re.findall(r"^  --([a-z-]+): light-dark\((.+)\);$", STYLE_SHEET, re.MULTILINE)
    written = {name: value for name, value in found if name != "shadow"}
    assert written == {
        name: f"{DEFAULTS['light'][name]}, {DEFAULTS['dark'][name]}" for name in DEFAULTS["light"]
    }


def test_nicknames_are_checked_in_the_colours_of_the_style_sheet() -> None:
    assert "light-dark(oklch(45% 0.125 var(--hue)), oklch(83% 0.09 var(--hue)))" in STYLE_SHEET
    # On a paper that is as light as they are, they cannot be seen.
    grey = Theme("grey", light={"paper": "oklch(45% 0 0)"}, dark={"paper": "oklch(83% 0 0)"})
    seen = [
        contrast
        for contrast in grey.contrasts(accent=ACCENT)
        if contrast.text == "a nickname" and contrast.ground == "paper"
    ]
    assert {contrast.scheme for contrast in seen} == {*SCHEMES}
    assert max(contrast.ratio for contrast in seen) < 1.3


def test_shapes_have_the_radius_of_the_theme() -> None:
    fixed = re.findall(r"border-radius: (\d+)px;", STYLE_SHEET)
    assert max(map(int, fixed)) < 8, "those of small marks in a text alone"


def test_guide_lists_every_token() -> None:
    section = GUIDE.partition("## Tokens")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(DEFAULTS["light"])


def test_guide_lists_every_checked_pair() -> None:
    section = GUIDE.partition("## Contrast")[2]
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \| ([\d.]+) \|$", section, re.MULTILINE)
    listed = [
        (text, tuple(re.findall(r"`([a-z-]+)`", grounds)), float(needed))
        for text, grounds, needed in rows
    ]
    assert listed == list(PAIRS)


def test_guide_lists_every_theme() -> None:
    table = GUIDE.partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == list(THEMES)


def test_settings_list_every_theme() -> None:
    row = re.search(r"^\| `ANONCHAT_THEME` .+$", (ROOT / "docs/settings.md").read_text(), re.M)
    assert row and re.findall("`([a-z]+)`", row[0].rpartition(" | ")[2]) == list(THEMES)


def test_low_contrast_names_the_pair_and_the_ratio() -> None:
    with pytest.raises(ValueError) as refused:
        check_contrast(Theme("felt", dark={"ink_soft": "#6d6d6d"}), accent=ACCENT)
    assert f"{refused.value}" == (
        "theme felt: ink-soft on paper has a contrast of 3.6, AA needs 4.5 (dark)"
    )


def test_contrast_is_not_rounded_up_to_what_is_needed() -> None:
    with pytest.raises(ValueError, match=r"contrast of 4\.4, AA needs 4\.5"):  # it is 4.48
        check_contrast(Theme("x", light={"paper": "#fff", "ink-faint": "#777777"}), accent=ACCENT)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"light": {"papper": "#fff"}}, "theme x: there is no colour papper, but paper, surface,"),
        ({"dark": {"ink": "url(//evil)"}}, "theme x: ink needs a colour, got 'url(//evil)'"),
        ({"dark": {"ink": "#fff; } *"}}, "theme x: ink needs a colour"),
        ({"dark": {"ink": "#ffffff80"}}, "theme x: ink needs a colour"),
        ({"accent": "blueish"}, "theme x: accent needs a colour"),
        ({"font": "serif; color: red"}, "theme x: font needs names of fonts"),
        ({"radius": "-4px"}, "theme x: radius needs a length such as 4px"),
        ({"density": "tight"}, "theme x: density needs compact or cosy"),
        ({"headline": "Hi {name}"}, "theme x: texts cannot contain { and }"),
        ({"product_name": "two\nlines"}, "theme x: product_name needs at most 60"),
        ({"logo": Path("logo.exe")}, "theme x: logo needs .svg, .png or .webp"),
        ({"logo": Path("missing.svg")}, "theme x: there is no file missing.svg"),
        ({"css": Path("missing.css")}, "theme x: there is no file missing.css"),
        ({"css": Path("theme.py")}, "theme x: css needs .css"),
        ({"name": "No Spaces"}, "theme 'No Spaces': needs a name such as night-sky"),
    ],
)
def test_wrong_theme_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        Theme(**{"name": "x", **values})  # type: ignore[arg-type]


def test_style_sets_what_the_theme_names_and_nothing_else() -> None:
    theme = Theme(
        "x",
        accent="#0a6b4f",
        light={"ink_soft": "#333"},
        font="Georgia, serif",
        radius="0",
        density="compact",
    )
    assert theme.style() == (
        ":root { --ink-soft: light-dark(#333, oklch(77% 0.01 85)); --accent-base: #0a6b4f; "
        "--font: Georgia, serif; --round: 0px; --density: 0.7; }"
    )


def test_accent_of_the_site_is_that_of_themes_without_one() -> None:
    def accent(theme: Theme, site: str) -> str:
        return theme.hex_color("accent", "light", accent=site)

    plain, green = Theme("plain"), Theme("green", accent="#0a6b4f")
    assert accent(plain, "#334fb8") != accent(plain, "#b83334")
    assert accent(green, "#334fb8") == accent(green, "#b83334")


def test_title_is_the_name_unless_given() -> None:
    assert Theme("night-sky").title == "Night sky"
    assert Theme("contrast", title="High contrast").title == "High contrast"


def test_files_are_those_that_the_style_sheet_names_beside_it(tmp_path: Path) -> None:
    (tmp_path / "secrets.py").touch()
    sheet, font, logo = (tmp_path / name for name in ("x.css", "x.woff2", "x.svg"))
    font.touch()
    logo.touch()
    sheet.write_text(
        "@font-face { src: url('x.woff2') } .a { background: url(../secrets.py) }"
        ".b { background: url(data:image/png;base64,AA) } .c { background: url( x.woff2 ) }"
    )
    assert Theme("x", css=sheet, logo=logo).files == [sheet, logo, font]
    font.unlink()
    with pytest.raises(ValueError, match=r"there is no file .*x\.woff2"):
        Theme("x", css=sheet)


def test_unknown_theme_of_the_site_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StartupError) as refused:
        load_themes([Theme("a"), Theme("b"), Theme("c")], chosen="Paper", accent=ACCENT)
    assert f"{refused.value}" == "ANONCHAT_THEME: needs paper, a, b or c, got 'Paper'"


def test_theme_with_low_contrast_stops_the_start() -> None:
    themes = [Theme("a"), Theme("b", light={"ink": "#ccc"})]
    with pytest.raises(StartupError, match=r"^theme b: ink on paper .* \(light\)$"):
        load_themes(themes, chosen="a", accent=ACCENT)


def test_theme_of_a_plugin_with_low_contrast_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from anonchat.plugins import Plugin\n"
        "plugin = Plugin('mine')\n"
        "plugin.theme('a')\n"
        "plugin.theme('b', light={'ink': '#ccc'})\n"
    )
    registry = PluginRegistry(load_file(path))
    with pytest.raises(StartupError) as refused:
        load_themes(
            registry.themes.values(), chosen="a", accent=ACCENT, make_error=registry.theme_error
        )
    assert f"{refused.value}".startswith(f"plugin mine ({path}, line 4): theme b: ink on paper ")


def test_theme_of_the_site_comes_first() -> None:
    themes = load_themes([Theme("a"), Theme("b"), Theme("c")], chosen="b", accent=ACCENT)
    assert list(themes) == ["b", "paper", "a", "c"]


def test_theme_names_the_site_unless_its_operator_does(monkeypatch: pytest.MonkeyPatch) -> None:
    theme = Theme("x", product_name="Felt")
    assert name_site(Settings(), theme).name == "Felt"
    assert name_site(Settings(), Theme("x")).name == "anonchat"
    monkeypatch.setenv("ANONCHAT_NAME", "anonchat")
    assert name_site(Settings(), theme).name == "anonchat"
