"""postern replay over logs of real servers: ours, and those of ../shared/corpora, when they lie beside the checkout (or in
$POSTERN_CORPORA)."""

import json
import os
import pathlib
import re

from fixture import suite
from harness.runner import ROOT, check, equal
from replay import MIXED, Logs

CORPORA = pathlib.Path(os.environ.get("POSTERN_CORPORA", ROOT.parent / "shared/corpora"))
EXPECTED = json.loads((pathlib.Path(__file__).parent / "replay_corpora.json").read_text(encoding="utf-8"))
ADDRESS = re.compile(r"(?<=\[)[0-9]+(?:\.[0-9]+){3}(?=\])|(?<=\[)[0-9a-f:]*:[0-9a-f:]+(?=\])|\b[0-9]+(?:\.[0-9]+){3}\b")
# The counts of each client in the report.
COUNTS = ("refused_for_name", "refused_otherwise", "accepted", "connections")


def report_of(case, logs, content):
    """The report of one log; every address in it is one without PTR, so that each client is listed."""
    logs.write("log", content)
    addresses = set(ADDRESS.findall(content.decode("latin-1")))
    logs.write("zone", "".join(f"[{address}] NODATA\n" for address in sorted(addresses)).encode())
    status, output, errors = logs.replay(case, "log", "--json", "--clients", "1000")
    equal((status, errors), (0, ""), "exit status and errors")
    return json.loads(output)


def counts_of(report, name):
    return {client["client"]: client[name] for client in report["who"] if client[name]}


def as_expected(report, expected, where):
    """Every count of every client, those that are not expected to be anything too."""
    for name in COUNTS if "connections" in expected else COUNTS[:3]:
        equal(counts_of(report, name), expected.get(name, {}), f"{where}: {name}")
    for name in ("unreadable_lines", "messages_accepted", "refused_before_rcpt", "would_be_refused_then"):
        equal(report[name], expected.get(name, 0), f"{where}: {name}")
    for name in {"first", "last"} & set(expected):
        equal(report[name], expected[name], f"{where}: {name}")
    attempts = {mail["from"]: mail["attempts"] for mail in report["refused_then"]}
    equal(attempts, expected.get("attempts", {}), f"{where}: attempts of refused mail by sender")


@suite.case("replay-corpora", "postern replay finds in other people's logs what stands in them")
def replay_corpora(case):
    if not CORPORA.is_dir():
        case.skip(f"there are no corpora in {CORPORA}; name them with POSTERN_CORPORA")
    logs = Logs()
    for name, expected in EXPECTED["files"].items():
        content = (CORPORA / name).read_bytes()
        report = report_of(case, logs, content)
        equal(report["lines"], len(content.splitlines()), f"{name}: lines")
        as_expected(report, expected, name)
    for name, expected in EXPECTED["grok"].items():
        text = (CORPORA / f"maillog-postfix-grok/{name}.yaml").read_text(encoding="utf-8")
        message = json.loads(re.search(r'^data: (".*")$', text, re.M)[1])
        program = name.split("_")[0]
        as_expected(report_of(case, logs, f"Nov 24 06:00:00 gw postfix/{program}[1]: {message}\n".encode()), expected, name)
    case.note(f"{len(EXPECTED['files'])} logs, {len(EXPECTED['grok'])} lines of their own")


@suite.case("replay-lines", "each line of a log of three programs by itself, and the whole")
def replay_lines(case):
    logs, content = Logs(), MIXED.read_bytes()
    as_expected(report_of(case, logs, content), EXPECTED["files"]["own-maillog/maillog"], MIXED.name)
    for number, text in enumerate(content.splitlines(keepends=True), 1):
        report = report_of(case, logs, text)
        expected = EXPECTED["lines"].get(str(number), {})
        refused = {expected["client"]: 1} if expected else {}
        equal(counts_of(report, "refused_for_name"), refused, f"line {number}: refusals for the name")
        equal(report["refused_before_rcpt"], expected.get("before_rcpt", 0), f"line {number}: refused before RCPT")
        mails = [[*m["clients"], m["from"], m["to"], m["helo"]] for m in report["refused_then"]]
        told = [[expected["client"], *expected["mail"]]] if "mail" in expected else []
        equal(mails, told, f"line {number}: the mail that was refused for now")
