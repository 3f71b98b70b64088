"""What the checks look at, and how they report."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

BINARY = {".png", ".ico", ".gz", ".woff2", ".eml", ".msg"}
CXX = {".h", ".cc"}


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int  # 0: the file as a whole
    text: str  # says what to do

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


class Tree:
    """The project's files: what git tracks or would track; without git, everything but build/."""

    def __init__(self, root: Path):
        self.root = root
        self.paths = sorted(path for path in self._list() if (root / path).is_file())

    def _list(self) -> list[str]:
        if (self.root / ".git").exists():
            done = subprocess.run(
                ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                capture_output=True, text=True)
            if done.returncode == 0:
                return sorted(set(filter(None, done.stdout.split("\0"))))
        skip = {".git", "build", "__pycache__"}
        return [str(path.relative_to(self.root)) for path in self.root.rglob("*")
                if not skip & set(path.relative_to(self.root).parts)]

    def cxx(self, *prefixes: str) -> list[str]:
        return [path for path in self.under(*prefixes) if Path(path).suffix in CXX]

    def under(self, *prefixes: str) -> list[str]:
        return [path for path in self.paths if path.startswith(prefixes or ("",))]

    def read(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8", errors="replace")
