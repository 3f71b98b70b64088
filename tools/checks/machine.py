"""Nothing in the project names the machine that it was written on."""

import re
from pathlib import Path

from tree import BINARY, Finding, Tree

# In pieces, so that this file does not name them itself.
FOLDERS = ["work", "root", "home", "tmp/bash", "var/tmp/bare"]
WORDS = re.compile(r"(?<![\w./$}\"'-])/(?:" + "|".join(FOLDERS) + r")\b(?:/[\w.-]+)?|(?<=[\"'=( ])/(?:" + "|".join(FOLDERS)
                   + r")\b(?:/[\w.-]+)?")
HOSTS = re.compile(r"\b(?:deb|security|snapshot|ftp)\.debian" + r"\.org\b")
OWN = "tools/checks/"


def check(tree: Tree) -> list[Finding]:
    found = []
    for path in tree.paths:
        if Path(path).suffix in BINARY or path.startswith(OWN):
            continue
        text = tree.read(path)
        for pattern, advice in ((WORDS, "a path of one machine: take it from an argument, the environment or the checkout"),
                                (HOSTS, "a mirror's host: take the mirror from apt's own sources")):
            for match in pattern.finditer(text):
                found.append(Finding(path, text.count("\n", 0, match.start()) + 1, f"'{match.group()}': {advice}"))
    return found
