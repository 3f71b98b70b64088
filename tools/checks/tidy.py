"""clang-tidy-19 with .clang-tidy, on files that the dev preset compiles. Slow, so on chosen files."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tree import Finding, Tree

TOOL = "clang-tidy-19"
BUILD = "build/dev"
FINDING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)$", re.MULTILINE)


def changed(tree: Tree) -> list[str]:
    """What differs from where main was last shared; in a clone without history behind HEAD, from HEAD's parent."""
    for base in ("origin/main", "HEAD~1"):
        done = subprocess.run(["git", "-C", str(tree.root), "merge-base", base, "HEAD"], capture_output=True, text=True)
        if done.returncode == 0:
            diff = subprocess.run(["git", "-C", str(tree.root), "diff", "--name-only", done.stdout.strip()],
                                  capture_output=True, text=True)
            return [path for path in diff.stdout.split() if path in tree.cxx("src/")]
    return tree.cxx("src/")


def compiled(tree: Tree) -> set[str]:
    database = tree.root / BUILD / "compile_commands.json"
    if not database.exists():
        return set()
    root = tree.root.resolve()
    return {str(Path(entry["file"]).resolve().relative_to(root)) for entry in json.loads(database.read_text())
            if Path(entry["file"]).resolve().is_relative_to(root)}


def check_files(tree: Tree, files: list[str], jobs: int = 2) -> list[Finding]:
    known = compiled(tree)
    if not known:
        return [Finding(BUILD, 0, "no compile_commands.json: run './dev build dev' first")]
    sources = [path for path in files if path in known and path.startswith("src/")]
    with ThreadPoolExecutor(jobs) as pool:
        return sorted({finding for result in pool.map(lambda path: _one(tree, path), sources) for finding in result})


def _one(tree: Tree, path: str) -> list[Finding]:
    done = subprocess.run([TOOL, "-p", BUILD, "--quiet", path], cwd=tree.root, capture_output=True, text=True)
    found = []
    for match in FINDING.finditer(done.stdout):
        where = Path(match.group(1))
        if where.is_absolute() and where.resolve().is_relative_to(tree.root.resolve()):
            where = where.resolve().relative_to(tree.root.resolve())
        if str(where).startswith(("src/", "tests/")):
            found.append(Finding(str(where), int(match.group(2)), match.group(3)))
    if done.returncode != 0 and not found:
        found.append(Finding(path, 0, f"{TOOL} failed: {(done.stdout + done.stderr).strip()[:600]}"))
    return found
