"""docs/conformance.md: tests/conformance/unknown-ip.toml as a table for administrators and auditors."""

import tomllib

from tree import Finding, Tree

CASES = "tests/conformance/unknown-ip.toml"
PAGE = "docs/conformance.md"
PEERS = {"postfix": "Postfix", "postfix_reverse": "Postfix, reverse", "exim": "Exim", "opensmtpd": "OpenSMTPD",
         "haraka": "Haraka"}
# Who refuses in place of the greeting has no other codes (RFC 5321 section 3.1).
AT_CONNECT = {"haraka": {"pass", "554", "421", "?"}}
REPLIES = {"pass": "accepted", "skipped": "accepted", "temperror": "451"}
HEAD = """# What is refused: Postern and others, case by case

Made by `./dev check --write` from [tests/conformance/unknown-ip.toml](../tests/conformance/unknown-ip.toml), which holds the
DNS data of each case; do not edit. Every case is a test: its DNS servers are played over UDP and TCP, Postern's own resolver
asks them, and state, reply, TTL and DNSSEC status must come out as below (`ctest -R conformance`).

Postern stands with the option in `enforce` and its default actions: 450 for what is missing or wrong, 451 for what has no
answer, never 550. "Accepted" is about this check only.

The others, each set up to refuse unknown clients, behind a validating resolver:

| column | setting | where the answers are from |
|---|---|---|
| Postfix | `reject_unknown_client_hostname` | measured with Debian's Postfix 3.7 (`tests/interop/run peers`) |
| Postfix, reverse | `reject_unknown_reverse_client_hostname`: any PTR is enough | measured, likewise |
| Exim | `require verify = reverse_host_lookup` | measured with Debian's Exim 4.96 |
| OpenSMTPD | `filter ... phase connect match !fcrdns disconnect "550 ..."` | its source (`smtp_session.c`, `lka_filter.c`, libasr) |
| Haraka | plugin fcrdns, `no_rdns`, `no_fcrdns` and `invalid_tld` on | its source (haraka-plugin-fcrdns, `connection.js`, c-ares); it refuses in place of the greeting |

"pass" is accepted, a number the reply code. Postfix and OpenSMTPD look at the first PTR that the resolver hands over; with
several the table shows the order of the case's data, which the DNS does not keep: their answer to such clients changes from
one connection to the next. "?" is not known. A private address is looked up by all of them; their administrators exempt it by
other settings.
"""


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _postern(case: dict) -> str:
    state = case["state"]
    told = f"`{state}`: {REPLIES.get(state, '450')}"
    if detail := case.get("cause") or case.get("because"):
        told += f", {_cell(_shortened(detail))}"
    if case.get("secure"):
        told += ", validated"
    if "ttl" in case:
        told += f", kept {case['ttl']} s"
    return told


def _shortened(text: str) -> str:
    return text if len(text) <= 90 else text[:60] + "..." + text[-25:]


def page(cases: list[dict]) -> str:
    out, section = [HEAD], None
    for case in cases:
        if case["section"] != section:
            section = case["section"]
            out += ["", f"## {section}", "", f"| case | the DNS | Postern | {' | '.join(PEERS.values())} | why others differ |",
                    "|---" * (len(PEERS) + 4) + "|"]
        peers = case["peers"]
        out.append(f"| `{case['id']}` | {_cell(case['what'])} | {_postern(case)} | "
                   f"{' | '.join(peers[name] for name in PEERS)} | {_cell(case.get('why', ''))} |")
    states = sorted({case["state"] for case in cases})
    out += ["", f"{len(cases)} cases: " + ", ".join(f"{sum(c['state'] == state for c in cases)} `{state}`" for state in states)
            + ".", ""]
    return "\n".join(out)


def _cases(tree: Tree) -> list[dict]:
    return tomllib.loads(tree.read(CASES))["case"]


def write(tree: Tree) -> None:
    (tree.root / PAGE).write_text(page(_cases(tree)))


def check(tree: Tree) -> list[Finding]:
    cases = _cases(tree)
    found = [Finding(CASES, 0, f"case {case['id']}: no column of others; add peers = {{ {', '.join(PEERS)} }}")
             for case in cases if set(case.get("peers", {})) != set(PEERS)]
    found += [Finding(CASES, 0, f"case {case['id']}: {name} answers in place of the greeting, not with {case['peers'][name]}")
              for case in cases for name, codes in AT_CONNECT.items()
              if case.get("peers", {}).get(name, "?") not in codes]
    if not found and (PAGE not in tree.paths or tree.read(PAGE) != page(cases)):
        found.append(Finding(PAGE, 0, "not current: run './dev check --write' and commit it"))
    return found
