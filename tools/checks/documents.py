"""Each room explains itself, and links between documents lead somewhere."""

import re

from tree import Finding, Tree

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
README_LINES_MIN = 10


def check(tree: Tree) -> list[Finding]:
    found = []
    rooms = sorted({path.split("/")[1] for path in tree.cxx("src/") if path.count("/") >= 2})
    for room in rooms:
        readme = f"src/{room}/README.md"
        if readme not in tree.paths:
            found.append(Finding(readme, 0, "missing: purpose, main types, a walk through one case, invariants, what the room "
                                            "must not know"))
        elif len([line for line in tree.read(readme).splitlines() if line.strip()]) < README_LINES_MIN:
            found.append(Finding(readme, 0, "too short to say purpose, main types, a walk through one case, invariants, and "
                                            "what the room must not know"))
    for path in tree.paths:
        if path.endswith(".md"):
            found += _links(tree, path)
    return found


def _links(tree: Tree, path: str) -> list[Finding]:
    text = FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), tree.read(path))
    text = re.sub(r"`[^`\n]*`", lambda match: " " * len(match.group()), text)
    found = []
    for match in LINK.finditer(text):
        target = (match.group(1) or match.group(2)).split("#")[0]
        if not target or re.match(r"[a-z+]+:", target):
            continue
        line = text.count("\n", 0, match.start()) + 1
        there = ((tree.root / path).parent / target).resolve()
        if not there.exists() or not there.is_relative_to(tree.root.resolve()):
            found.append(Finding(path, line, f"the link to {target} leads nowhere in this checkout"))
    return found
