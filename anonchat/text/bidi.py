"""Visual order of lines with right-to-left letters (Unicode UAX 9, the bidirectional algorithm).

For names only: without directional formatting characters, a whole line is one level run.
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
_MAX_OPEN_BRACKETS = 63  # the algorithm (BD16) ignores all pairs if more are open


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


def to_visual_order(line: str) -> str:
    """Return the characters of a line in visual order, from left to right.

    Characters that are drawn mirrored are replaced by their mirror images; combining marks stay
    after their base. The line has the direction of its first letter, as with `dir="auto"` in HTML.
    """
    if not _RIGHT_TO_LEFT.search(line):
        return line
    clusters = _CLUSTER.findall(line)
    characters = [cluster[0] for cluster in clusters]
    classes = [_classify(cluster) for cluster in clusters]
    base = next((int(kind != "L") for kind in classes if kind in ("L", "R", "AL")), 0)
    classes = _resolve_numbers(classes, edge="LR"[base])
    _resolve_brackets(characters, classes, base)
    _resolve_neutrals(classes, base)
    levels = [_level_of(kind, base) for kind in classes]
    ordered = [
        _mirror(cluster) if level % 2 else cluster
        for cluster, level in zip(clusters, levels, strict=True)
    ]
    return "".join(_reverse_runs(ordered, levels))


def _classify(cluster: str) -> str:
    found = _CLASS.match(cluster)
    name = str(found.lastgroup) if found else "ON"
    # W4 needs a single separator between numbers; with a mark it is two characters.
    return "ON" if name in ("ES", "CS") and len(cluster) > 1 else name


def _resolve_numbers(classes: list[str], *, edge: str) -> list[str]:
    """Resolve the weak types (rules W1 to W7): only L, R, EN, AN and ON are left."""
    resolved, strong = [], edge
    for kind in classes:
        if kind in ("L", "R", "AL"):
            strong = kind
        if kind == "NSM":  # W1; only a mark at the start of a line has no base
            kind = edge
        resolved.append("AN" if kind == "EN" and strong == "AL" else kind)  # W2
    resolved = ["R" if kind == "AL" else kind for kind in resolved]  # W3
    for index in range(1, len(resolved) - 1):  # W4
        before, kind, after = resolved[index - 1 : index + 2]
        if before == after and (before, kind) in {("EN", "ES"), ("EN", "CS"), ("AN", "CS")}:
            resolved[index] = before
    for indexes in (range(len(resolved)), reversed(range(len(resolved)))):  # W5
        previous = ""
        for index in indexes:
            if resolved[index] == "ET" and previous == "EN":
                resolved[index] = "EN"
            previous = resolved[index]
    strong = edge
    for index, kind in enumerate(resolved):
        if kind in ("ES", "ET", "CS"):  # W6
            resolved[index] = "ON"
        elif kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":  # W7
            resolved[index] = "L"
    return resolved


def _resolve_brackets(characters: list[str], classes: list[str], base: int) -> None:
    """Give both brackets of a pair the direction of their content or of the text before (N0)."""
    embedding = "LR"[base]
    for start, end in _pair_brackets(characters, classes):
        inside = {_direction(kind) for kind in classes[start + 1 : end]} - {""}
        if embedding in inside:
            direction = embedding
        elif inside:
            before = next((d for kind in classes[start - 1 :: -1] if (d := _direction(kind))), "")
            direction = before if start and before and before != embedding else embedding
        else:
            continue
        classes[start] = classes[end] = direction


def _pair_brackets(characters: list[str], classes: list[str]) -> list[tuple[int, int]]:
    pairs, stack = [], list[tuple[str, int]]()
    for index, (character, kind) in enumerate(zip(characters, classes, strict=True)):
        if kind != "ON":
            continue
        if character in _CLOSING:
            if len(stack) == _MAX_OPEN_BRACKETS:
                return []
            stack.append((_CLOSING[character], index))
        elif character in _OPENING:
            for depth in reversed(range(len(stack))):
                if stack[depth][0] == character:
                    pairs.append((stack[depth][1], index))
                    del stack[depth:]
                    break
    return sorted(pairs)


def _resolve_neutrals(classes: list[str], base: int) -> None:
    """Give neutrals the direction of their neighbours if equal, else that of the line (N1, N2)."""
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
    """Return the embedding level of a character, for the base level of its line (I1, I2)."""
    if base:
        return 1 if resolved == "R" else 2
    return {"L": 0, "R": 1}.get(resolved, 2)


def _mirror(cluster: str) -> str:
    return _MIRRORED.get(cluster[0], cluster[0]) + cluster[1:]


def _reverse_runs(ordered: list[str], levels: list[int]) -> list[str]:
    """Reverse each run of characters at a level or above, from the highest level down (L2)."""
    for level in (2, 1):
        start = 0
        while start < len(ordered):
            end = start
            while end < len(ordered) and levels[end] >= level:
                end += 1
            ordered[start:end] = reversed(ordered[start:end])
            levels[start:end] = reversed(levels[start:end])
            start = max(end, start + 1)
    return ordered
