"""Citations of RFCs in src/ against docs/rfc/index.tsv, and the coverage page made of both.

`RFC 5321 section 4.5.3.1.8: duty` above the code that obeys it; DEVIATION(RFC ...), UNCLEAR(RFC ...), TODO(RFC ...) mark the
rest. `RFC 5321` without a section is a mention."""

import re
from dataclasses import dataclass, field

from tree import Finding, Tree

INDEX = "docs/rfc/index.tsv"
PAGE = "docs/rfc/coverage.md"
COLUMNS = ["number", "title", "status", "obsoleted_by", "meaning"]
STATUSES = {
    "obeyed": "its duties that concern a relay are kept",
    "partly": "some duties are kept, the rest is open",
    "informative": "it explains; no duty of ours comes from it",
    "later": "nothing of it is built yet",
}
CITATION = re.compile(r"\bRFC ?(\d{1,5})\b(?:(?:,? |\s+(?://[/!<]*\s*|\*\s*|#\s*)?)section ([0-9A-Z](?:[0-9A-Za-z.]*[0-9A-Za-z])?))?")
MARK = re.compile(r"\b(DEVIATION|UNCLEAR|TODO)\(RFC ?(\d{1,5})")
WRONG_FORM = re.compile(r"\b(?:RFC[-_]\d{3,5}|RFC\d{3,5}|[Rr]fc \d{3,5}|RFC \d{3,5},? ?(?:§|[Ss]ec\.|Section|s\.) ?\d)")


@dataclass
class Entry:
    line: int
    title: str
    status: str
    obsoleted_by: str
    meaning: str


@dataclass
class Uses:
    sections: set[str] = field(default_factory=set)
    rooms: set[str] = field(default_factory=set)
    marks: dict[str, int] = field(default_factory=dict)


def read_index(tree: Tree) -> tuple[dict[int, Entry], list[Finding]]:
    entries, found = {}, []
    lines = tree.read(INDEX).splitlines()
    if not lines or lines[0].split("\t") != COLUMNS:
        return {}, [Finding(INDEX, 1, "the first line must name the columns: " + ", ".join(COLUMNS))]
    last = 0
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        if len(cells) != len(COLUMNS) or not cells[0].isdigit():
            found.append(Finding(INDEX, number, f"needs {len(COLUMNS)} columns with tabs between, the number first"))
            continue
        rfc = int(cells[0])
        if rfc <= last:
            found.append(Finding(INDEX, number, f"RFC {rfc} is not in order, or twice"))
        if cells[2] not in STATUSES:
            found.append(Finding(INDEX, number, f"status '{cells[2]}' is none of {', '.join(STATUSES)}"))
        if not cells[4].strip():
            found.append(Finding(INDEX, number, "say what it means to us"))
        last = rfc
        entries[rfc] = Entry(number, *cells[1:])
    return entries, found


def _section_order(section: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (10**6, part) for part in section.split(".")]


def citations(tree: Tree, entries: dict[int, Entry]) -> tuple[dict[int, Uses], list[Finding]]:
    uses: dict[int, Uses] = {}
    found = []
    for path in tree.under("src/"):
        if not path.endswith((".h", ".cc", ".md")):
            continue
        room, text = path.split("/")[1], tree.read(path)
        line_of = lambda match: text.count("\n", 0, match.start()) + 1  # noqa: E731
        for match in WRONG_FORM.finditer(text):
            found.append(Finding(path, line_of(match), f"'{match.group()}': write it as 'RFC 5321 section 4.1.1.1', so that a "
                                                       "search finds it"))
        for match in CITATION.finditer(text):
            rfc, section = int(match.group(1)), match.group(2)
            entry = entries.get(rfc)
            if entry is None:
                found.append(Finding(path, line_of(match), f"RFC {rfc} is not in {INDEX}: add it, with what it means to us, "
                                                           "or mend the number"))
                continue
            if entry.obsoleted_by:
                found.append(Finding(path, line_of(match), f"RFC {rfc} is obsolete: cite RFC {entry.obsoleted_by}"))
            use = uses.setdefault(rfc, Uses())
            use.rooms.add(room)
            if section:
                use.sections.add(section)
        for match in MARK.finditer(text):
            use = uses.setdefault(int(match.group(2)), Uses())
            use.marks[match.group(1)] = use.marks.get(match.group(1), 0) + 1
    return uses, found


def page(entries: dict[int, Entry], uses: dict[int, Uses]) -> str:
    out = ["# RFCs and where the code obeys them", "",
           "Made by `./dev check --write` from the citations in `src/` and [index.tsv](index.tsv); do not edit.", ""]
    for status, text in STATUSES.items():
        rows = [(rfc, entry) for rfc, entry in entries.items() if entry.status == status and not entry.obsoleted_by]
        if not rows:
            continue
        out += [f"## {status.capitalize()}: {text}", "", "| RFC | title | what it means to us | sections cited | rooms |",
                "|---|---|---|---|---|"]
        for rfc, entry in rows:
            use = uses.get(rfc, Uses())
            sections = ", ".join(sorted(use.sections, key=_section_order))
            marks = ", ".join(f"{count} {mark}" for mark, count in sorted(use.marks.items()))
            out.append(f"| [{rfc}](https://www.rfc-editor.org/rfc/rfc{rfc}) | {entry.title} | {entry.meaning} | "
                       f"{sections}{f' ({marks})' if marks else ''} | {', '.join(sorted(use.rooms))} |")
        out.append("")
    rows = [(rfc, entry) for rfc, entry in entries.items() if entry.obsoleted_by]
    if rows:
        out += ["## Obsolete: known, never cited", "", "| RFC | title | now |", "|---|---|---|"]
        out += [f"| {rfc} | {entry.title} | RFC {entry.obsoleted_by} |" for rfc, entry in rows]
        out.append("")
    return "\n".join(out)


def write(tree: Tree) -> None:
    entries, _ = read_index(tree)
    (tree.root / PAGE).write_text(page(entries, citations(tree, entries)[0]))


def check(tree: Tree) -> list[Finding]:
    entries, found = read_index(tree)
    uses, wrong = citations(tree, entries)
    found += wrong
    for rfc, entry in entries.items():
        cited = rfc in uses and (uses[rfc].sections or uses[rfc].rooms)
        if entry.status in ("obeyed", "partly") and not cited and not entry.obsoleted_by:
            found.append(Finding(INDEX, entry.line, f"RFC {rfc} is said to be {entry.status}, but no code cites it: cite it "
                                                    "where it is obeyed, or set its status to later"))
        if entry.status == "later" and rfc in uses and uses[rfc].sections:
            found.append(Finding(INDEX, entry.line, f"RFC {rfc} is said to come later, but {', '.join(sorted(uses[rfc].rooms))} "
                                                    "cite sections of it: set its status to partly or obeyed"))
    if not found and (PAGE not in tree.paths or tree.read(PAGE) != page(entries, uses)):
        found.append(Finding(PAGE, 0, "not current: run './dev check --write' and commit it"))
    return found
