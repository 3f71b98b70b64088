"""Rooms include only rooms on lower floors, and CMakeLists.txt says the same (tools/floors.toml)."""

import re
import tomllib

from cxx import code_only
from tree import Finding, Tree

TABLE = "tools/floors.toml"
SUPPORT = "support"  # tests/support: what tests of every room share, and they alone
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
ROOM_CALL = re.compile(r"^postern_room\(\s*(\w+)([^)]*)\)", re.MULTILINE)
COROUTINE = re.compile(r"\bco_(?:await|return|yield)\b")


def check(tree: Tree) -> list[Finding]:
    table = tomllib.loads(tree.read(TABLE))
    floors, apart = table["floors"], set(table["apart"]["rooms"])
    found = [*_includes(tree, floors, apart), *_cmake(tree, floors)]
    found += _pure(tree, table["pure"]["rooms"])
    return found


def _wrong(room: str, other: str, floors: dict[str, int], apart: set[str]) -> str | None:
    if other == room:
        return None
    if room in apart and other in apart:
        return f"{room} and {other} meet only at the queue"
    if floors[other] >= floors[room]:
        return f"{room} (floor {floors[room]}) may not use {other} (floor {floors[other]})"
    return None


def _includes(tree: Tree, floors: dict[str, int], apart: set[str]) -> list[Finding]:
    found = []
    for path in tree.cxx("src/"):
        room = path.split("/")[1]
        if path.count("/") < 2 or room not in floors:
            found.append(Finding(path, 0, f"not in a room of {TABLE}"))
            continue
        text = code_only(tree.read(path), keep_strings=True)
        for match in INCLUDE.finditer(text):
            line, target = text.count("\n", 0, match.start()) + 1, match.group(1)
            other = target.split("/")[0]
            if other == SUPPORT and path.endswith("_test.cc"):
                continue
            if other not in floors or "/" not in target:
                found.append(Finding(path, line, f'"{target}": write it from src/, as "room/file.h"; <...> for others'))
            elif wrong := _wrong(room, other, floors, apart):
                found.append(Finding(path, line, f"{wrong}: move what is shared to a lower floor, or pass it in"))
    return found


def _cmake(tree: Tree, floors: dict[str, int]) -> list[Finding]:
    found, seen = [], set()
    text = tree.read("CMakeLists.txt")
    for match in ROOM_CALL.finditer(text):
        room, words = match.group(1), match.group(2).split()
        line = text.count("\n", 0, match.start()) + 1
        seen.add(room)
        if room not in floors:
            found.append(Finding("CMakeLists.txt", line, f"room {room} is not in {TABLE}"))
            continue
        deps = []
        if "DEPS" in words:
            for word in words[words.index("DEPS") + 1:]:
                if word in ("LIBS", "PURE"):
                    break
                deps.append(word)
        for dep in deps:
            if dep not in floors:
                found.append(Finding("CMakeLists.txt", line, f"{room} DEPS {dep}: no such room in {TABLE}"))
            elif floors[dep] >= floors[room]:
                found.append(Finding("CMakeLists.txt", line, f"{room} (floor {floors[room]}) may not depend on {dep} "
                                                             f"(floor {floors[dep]})"))
    rooms = {path.split("/")[1] for path in tree.cxx("src/") if path.count("/") >= 2}
    for room in sorted((rooms & set(floors)) - seen):
        found.append(Finding("CMakeLists.txt", 0, f"room src/{room} has no postern_room({room} ...)"))
    return found


def _pure(tree: Tree, rooms: list[str]) -> list[Finding]:
    found = []
    for path in tree.cxx(*(f"src/{room}/" for room in rooms)):
        text = code_only(tree.read(path))
        for match in COROUTINE.finditer(text):
            found.append(Finding(path, text.count("\n", 0, match.start()) + 1,
                                 f"{match.group()} in a room without I/O: return an action and let the caller wait"))
    return found
