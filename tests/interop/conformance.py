"""What Postfix and Exim make of the cases of tests/conformance/unknown-ip.toml."""

import json
import os
import pathlib
import subprocess

from cases import CACHE, exim, suite
from harness.runner import ROOT, check
from harness.sandbox import run
from lib import peers

CASES = ROOT / "tests/conformance/unknown-ip.toml"
SCRIPTS = ROOT / "build/dev/conformance_test"
# Those whose client address cannot be taken on the loopback device.
NOT_PLAYED = {"skipped-link-local"}


def _take_addresses(cases):
    wanted = {peers.plain(case["client"]) for case in cases} | {peers.plain(peers.SERVER_V6)}
    for address in wanted:
        prefix = 32 if address.version == 4 else 128
        subprocess.run(["ip", "addr", "add", f"{address}/{prefix}", "dev", "lo", *(["nodad"] if prefix == 128 else [])],
                       stderr=subprocess.DEVNULL, check=False)  # some are there already
    run("ip", "addr", "add", f"{peers.RESOLVER}/32", "dev", "lo")


def _ask(case, address):
    """The sandbox's own resolv.conf, until the case is over."""
    file = pathlib.Path("/etc/resolv.conf")
    before = file.read_text()
    case.cleanup.callback(lambda: file.write_text(before))
    file.write_text(f"nameserver {address}\noptions timeout:5 attempts:1\n")


@suite.case("peers-exim", "Postfix and Exim refuse and accept as the conformance file says")
def case_peers(case):
    check(os.access(SCRIPTS, os.X_OK), f"{SCRIPTS} is missing: build it with './dev build'")
    cases = [c for c in peers.read_cases(CASES) if c["id"] not in NOT_PLAYED]
    _take_addresses(cases)
    scripts = case.started(peers.Scripts(SCRIPTS, case.path("scripts"))).start()
    resolver = case.started(peers.Resolver(case.path("resolver"), scripts.anchors)).start()
    _ask(case, peers.RESOLVER)
    postfix = case.started(peers.PostfixPeer(case.path("postfix"))).start()
    others = [postfix, peers.EximPeer(case.path("exim"), exim.unpacked(CACHE))]
    differing, measured = [], {}
    for played in cases:
        found = {}
        for other in others:
            resolver.ask(scripts.ports[played["id"]])
            found |= other.answers(played["client"])
        measured[played["id"]] = found
        told = played.get("peers", {})
        differing += [f"{played['id']}: {name} answers {code}, the file says {told.get(name)}"
                      for name, code in found.items() if told.get(name) != code]
    if kept := os.environ.get("POSTERN_PEERS_MEASURED"):
        pathlib.Path(kept).write_text(json.dumps(measured, indent=1))
    case.note(f"{len(cases)} cases")
    check(not differing, "\n".join(differing))
