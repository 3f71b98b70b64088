"""Layout of C++ by clang-format-19 and .clang-format."""

import re
import subprocess

from tree import Finding, Tree

TOOL = "clang-format-19"


def _files(tree: Tree) -> list[str]:
    return tree.cxx("src/", "tests/", "bench/")


def check(tree: Tree) -> list[Finding]:
    files = _files(tree)
    if not files:
        return []
    done = subprocess.run([TOOL, "--dry-run", "-Werror", "--ferror-limit=1", *files], cwd=tree.root, capture_output=True,
                          text=True)
    found = {match.group(1): int(match.group(2))
             for match in re.finditer(r"^(\S+?):(\d+):\d+: error:", done.stderr, re.MULTILINE)}
    if done.returncode != 0 and not found:
        return [Finding(".clang-format", 0, done.stderr.strip()[:400])]
    return [Finding(path, line, f"run '{TOOL} -i {path}'") for path, line in sorted(found.items())]


def write(tree: Tree) -> None:
    subprocess.run([TOOL, "-i", *_files(tree)], cwd=tree.root, check=True)
