"""In which order a line is seen that has letters written from right to left (Unicode UAX 9).

For names: they have no directional formatting characters, so that all of a line is one level run.
Comments name the rules of the standard.
"""

import regex

_CLASSES = ("L", "R", "AL", "EN", "ES", "ET", "AN", "CS", "NSM", "ON")
_CLASS = regex.compile("|".join(rf"(?P<{name}>\p{{bc={name}}})" for name in _CLASSES))
_RIGHT_TO_LEFT = regex.compile(r"[\p{bc=R}\p{bc=AL}\p{bc=AN}]")
_CLUSTER = regex.compile(r".\p{bc=NSM}*", regex.DOTALL)
_BRACKETS = (
    "()[]{}⁅⁆⁽⁾₍₎⌈⌉⌊⌋❨❩❪❫❬❭❮❯❰❱❲❳❴❵⟦⟧⟨⟩⟪⟫⟬⟭⟮⟯⦃⦄⦅⦆⦗⦘"
    "〈〉《》「」『』【】〔〕〖〗〘〙〚〛﹙﹚﹛﹜﹝﹞（）［］｛｝｟｠｢｣"
)
_OTHER_PAIRS = "<>«»‹›≤≥≪≫＜＞"
_BRACKETS_MOST = 63  # the algorithm gives up when more are open


def _map_pairs(pairs: str) -> dict[str, str]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


_CLOSING = _map_pairs(_BRACKETS)
_OPENING = {closing: opening for opening, closing in _CLOSING.items()}
_MIRRORED = {
    **_CLOSING,
    **_OPENING,
    **_map_pairs(_OTHER_PAIRS),
    **_map_pairs(_OTHER_PAIRS[::-1]),
}


def order_visually(line: str) -> str:
    """Return the characters of a line from left to right as they are seen.

    Characters that are drawn mirrored are replaced by their mirror images, combining marks stay
    behind their base. The direction is that of the first letter, as in an element `dir="auto"`.
    """
    if not _RIGHT_TO_LEFT.search(line):
        return line
    clusters = _CLUSTER.findall(line)
    characters = [cluster[0] for cluster in clusters]
    classes = [_classify(cluster) for cluster in clusters]
    base = next((int(each != "L") for each in classes if each in ("L", "R", "AL")), 0)
    classes = _resolve_numbers(classes, sides="LR"[base])
    _resolve_brackets(characters, classes, base)
    _resolve_neutrals(classes, base)
    levels = [_level_of(each, base) for each in classes]
    shown = [
        _mirror(cluster) if level % 2 else cluster
        for cluster, level in zip(clusters, levels, strict=True)
    ]
    return "".join(_reverse_runs(shown, levels))


def _classify(cluster: str) -> str:
    found = _CLASS.match(cluster)
    name = str(found.lastgroup) if found else "ON"
    # A separator of numbers stands alone between them; with a mark it is two characters.
    return "ON" if name in ("ES", "CS") and len(cluster) > 1 else name


def _resolve_numbers(classes: list[str], *, sides: str) -> list[str]:
    """Return the classes L, R, EN, AN and ON that characters have beside their neighbours (W)."""
    resolved, strong = [], sides
    for each in classes:
        if each in ("L", "R", "AL"):
            strong = each
        if each == "NSM":  # W1; only one at the beginning has no base
            each = sides
        resolved.append("AN" if each == "EN" and strong == "AL" else each)  # W2
    resolved = ["R" if each == "AL" else each for each in resolved]  # W3
    for index in range(1, len(resolved) - 1):  # W4
        before, each, after = resolved[index - 1 : index + 2]
        if before == after and (before, each) in {("EN", "ES"), ("EN", "CS"), ("AN", "CS")}:
            resolved[index] = before
    for indexes in (range(len(resolved)), reversed(range(len(resolved)))):  # W5
        near = ""
        for index in indexes:
            if resolved[index] == "ET" and near == "EN":
                resolved[index] = "EN"
            near = resolved[index]
    strong = sides
    for index, each in enumerate(resolved):
        if each in ("ES", "ET", "CS"):  # W6
            resolved[index] = "ON"
        elif each in ("L", "R"):
            strong = each
        elif each == "EN" and strong == "L":  # W7
            resolved[index] = "L"
    return resolved


def _resolve_brackets(characters: list[str], classes: list[str], base: int) -> None:
    """Give the brackets of a pair one direction, that of what is in them or before them (N0)."""
    embedding = "LR"[base]
    for start, end in _pair_brackets(characters, classes):
        inside = {_direction(each) for each in classes[start + 1 : end]} - {""}
        if embedding in inside:
            side = embedding
        elif inside:
            before = next((d for each in classes[start - 1 :: -1] if (d := _direction(each))), "")
            side = before if start and before and before != embedding else embedding
        else:
            continue
        classes[start] = classes[end] = side


def _pair_brackets(characters: list[str], classes: list[str]) -> list[tuple[int, int]]:
    pairs, opened = [], list[tuple[str, int]]()
    for index, (character, each) in enumerate(zip(characters, classes, strict=True)):
        if each != "ON":
            continue
        if character in _CLOSING:
            if len(opened) == _BRACKETS_MOST:
                return []
            opened.append((_CLOSING[character], index))
        elif character in _OPENING:
            for place in reversed(range(len(opened))):
                if opened[place][0] == character:
                    pairs.append((opened[place][1], index))
                    del opened[place:]
                    break
    return sorted(pairs)


def _resolve_neutrals(classes: list[str], base: int) -> None:
    """Give neutral characters the direction of both neighbours, or that of the line (N1, N2)."""
    embedding = "LR"[base]
    index = 0
    while index < len(classes):
        end = index
        while end < len(classes) and classes[end] == "ON":
            end += 1
        if end > index:
            before = _direction(classes[index - 1]) if index else embedding
            after = _direction(classes[end]) if end < len(classes) else embedding
            classes[index:end] = [before if before == after else embedding] * (end - index)
        index = end + 1


def _direction(resolved: str) -> str:
    return {"L": "L", "R": "R", "EN": "R", "AN": "R"}.get(resolved, "")


def _level_of(resolved: str, base: int) -> int:
    """Return the level of a character in a line of that direction (I1, I2)."""
    if base:
        return 1 if resolved == "R" else 2
    return {"L": 0, "R": 1}.get(resolved, 2)


def _mirror(cluster: str) -> str:
    return _MIRRORED.get(cluster[0], cluster[0]) + cluster[1:]


def _reverse_runs(shown: list[str], levels: list[int]) -> list[str]:
    """Reverse every stretch of characters on a level or above it, the highest first (L2)."""
    for level in (2, 1):
        start = 0
        while start < len(shown):
            end = start
            while end < len(shown) and levels[end] >= level:
                end += 1
            shown[start:end] = reversed(shown[start:end])
            levels[start:end] = reversed(levels[start:end])
            start = max(end, start + 1)
    return shown
