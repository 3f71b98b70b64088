"""clang-tidy-19 with .clang-tidy, on files that the dev preset compiles. Slow, so on chosen files."""

import json
import re
import subprocess
import time
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


def by_age(tree: Tree) -> list[str]:
    """All sources, those of the latest commits first."""
    done = subprocess.run(["git", "-C", str(tree.root), "log", "--name-only", "--format=", "--", "src"],
                          capture_output=True, text=True)
    here = {path for path in tree.cxx("src/") if path.endswith(".cc")}
    recent = [path for path in dict.fromkeys(done.stdout.split()) if path in here]
    return recent + sorted(here - set(recent))


def compiled(tree: Tree) -> set[str]:
    database = tree.root / BUILD / "compile_commands.json"
    if not database.exists():
        return set()
    root = tree.root.resolve()
    return {str(Path(entry["file"]).resolve().relative_to(root)) for entry in json.loads(database.read_text())
            if Path(entry["file"]).resolve().is_relative_to(root)}


def check_files(tree: Tree, files: list[str], jobs: int = 2, seconds_max: float | None = None) -> list[Finding]:
    """With seconds_max, files whose turn comes later than that are left out, and it says how many."""
    known = compiled(tree)
    if not known:
        return [Finding(BUILD, 0, "no compile_commands.json: run './dev build dev' first")]
    sources = [path for path in files if path in known and path.startswith("src/")]
    start, left_out = time.monotonic(), []

    def one(path: str) -> list[Finding]:
        if seconds_max is not None and time.monotonic() - start > seconds_max:
            left_out.append(path)
            return []
        return _one(tree, path)

    with ThreadPoolExecutor(jobs) as pool:
        found = sorted({finding for result in pool.map(one, sources) for finding in result})
    print(f"{TOOL} read {len(sources) - len(left_out)} of {len(sources)} files" +
          (f"; the {len(left_out)} that changed longest ago did not fit into {seconds_max:.0f} s: './dev check --tidy --every' "
           "reads all" if left_out else ""))
    return found


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
