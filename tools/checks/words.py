"""Banned names outside the part of the house that may write them, and empty words in names (tools/banned.toml)."""

import re
import tomllib
from pathlib import Path

from cxx import DIRECTIVE, code_only
from tree import Finding, Tree

TABLE = "tools/banned.toml"
TYPE = re.compile(r"\b(?:class|struct|union|enum(?:\s+class)?|concept|namespace)\s+(?:\[\[[^\]]*\]\]\s*)?([A-Za-z_][\w:]*)"
                  r"|\busing\s+([A-Za-z_]\w*)\s*=")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def check(tree: Tree) -> list[Finding]:
    table = tomllib.loads(tree.read(TABLE))
    return [*_banned(tree, table["banned"]), *_vocabulary(tree, table["vocabulary"])]


def is_test(path: str) -> bool:
    return path.endswith(("_test.cc", "_fuzz.cc", "_bench.cc"))


def _banned(tree: Tree, rules: list[dict]) -> list[Finding]:
    found = []
    compiled = [(re.compile(rule["pattern"]), rule) for rule in rules]
    for path in tree.cxx("src/"):
        code = DIRECTIVE.sub(lambda match: " " + re.sub(r"[^\n]", " ", match.group()[1:]), code_only(tree.read(path)))
        for pattern, rule in compiled:
            if path.startswith(tuple(f"src/{folder}/" for folder in rule["allowed"])):
                continue
            if is_test(path) and not rule["tests"]:
                continue
            for match in pattern.finditer(code):
                name = re.sub(r"^[^\w:]+|^return\s+", "", match.group().strip())
                where = ", ".join(f"src/{folder}" for folder in rule["allowed"])
                found.append(Finding(path, code.count("\n", 0, match.end() - 1) + 1,
                                     f"{rule['what']} ({name}) outside {where}: use {rule['instead']}"))
    return found


def _empty_word(name: str, refused: list[str]) -> str | None:
    return next((part for part in PART.findall(name) if part.lower() in refused), None)


def _vocabulary(tree: Tree, rule: dict) -> list[Finding]:
    found = []
    for path in tree.under("src/", "tests/", "tools/", "bench/", "cmake/"):
        if word := _empty_word(Path(path).stem, rule["refused"]):
            found.append(Finding(path, 0, f"'{word}' in a file's name says nothing: name it by {rule['instead']}"))
    for path in tree.cxx("src/", "tests/", "bench/"):
        code = code_only(tree.read(path))
        for match in TYPE.finditer(code):
            name = match.group(1) or match.group(2)
            if word := _empty_word(name, rule["refused"]):
                found.append(Finding(path, code.count("\n", 0, match.start()) + 1,
                                     f"'{word}' in the name {name} says nothing: name it by {rule['instead']}"))
    return found
