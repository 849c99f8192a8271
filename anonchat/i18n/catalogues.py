"""The files with translations: one catalogue `<code>.po` for each language of a folder."""

from pathlib import Path

OUR_CATALOGUES = Path(__file__).parents[2] / "pages" / "i18n" / "locale"
SOURCE_LANGUAGE = "en"
"""The language of the texts in the code."""


def find_catalogues(folder: Path) -> dict[str, Path]:
    """Return the catalogues of a folder by language code, sorted; raise `OSError` without one.

    The codes are those of HTML, such as `pt-BR`; the files may be named `pt_BR.po` too.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".po")
    return {path.stem.replace("_", "-"): path for path in paths}
