"""Functions, files and lines stay small enough to read (the limits are the house's)."""

from cxx import functions
from tree import Finding, Tree

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
HEADER_LINES_MAX = 300
TEST_LINES_MAX = 1000
COLUMNS_MAX = 100
SCOPE = ("src/", "tests/", "bench/")


def file_lines_max(path: str) -> int:
    if path.endswith("_test.cc") or path.startswith("tests/"):
        return TEST_LINES_MAX
    return HEADER_LINES_MAX if path.endswith(".h") else FILE_LINES_MAX


def check(tree: Tree) -> list[Finding]:
    found = []
    for path in tree.cxx(*SCOPE):
        text = tree.read(path)
        lines = text.splitlines()
        if len(lines) > file_lines_max(path):
            found.append(Finding(path, 0, f"{len(lines)} lines; at most {file_lines_max(path)}: split it by what its "
                                          "parts are about"))
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                found.append(Finding(path, number, f"{len(line)} columns; at most {COLUMNS_MAX}"))
        for function in functions(text):
            if function.lines > FUNCTION_LINES_MAX:
                found.append(Finding(path, function.line, f"function {function.name} has {function.lines} lines; at most "
                                                          f"{FUNCTION_LINES_MAX}: one function for each state or step"))
    return found
