"""What `postern check` and `postern run` say to a wrong configuration, and to wrong commands."""

import subprocess

from fixture import base, suite
from harness.postern import Postern, toml
from harness.runner import check

# (what, lines that replace the line of the same key or are added to the table, table, words of the message)
WRONG = [
    ("unknown key", "hostnam = \"gw.test\"", "server", ["hostnam"]),
    ("unknown key in a table with dots", "no_pointer = \"450\"", "unknown_ip.actions", ["no_pointer"]),
    ("a number where text belongs", "hostname = 7", "server", ["hostname"]),
    ("text where a number belongs", "recipients_max = \"many\"", "limits", ["recipients_max"]),
    ("a negative limit", "recipients_max = -1", "limits", ["recipients_max"]),
    ("a duration without unit", "command_timeout = \"5\"", "smtp", ["command_timeout"]),
    ("a duration of another unit", "command_timeout = \"5 parsecs\"", "smtp", ["command_timeout"]),
    ("a word that is none of the choices", "mode = \"strict\"", "unknown_ip", ["mode", "enforce"]),
    ("an action that is none of the choices", "no_ptr = \"bounce\"", "unknown_ip.actions", ["no_ptr"]),
    ("a permanent refusal where no answer came", "temperror = \"550\"", "unknown_ip.actions", ["temperror"]),
    ("an address to listen on that is none", "listen = [\"localhost\"]", "server", ["listen"]),
    ("a port beyond 65535", "listen = [\"127.0.0.1:70000\"]", "server", ["listen"]),
    ("a network that is none", "networks = [\"10.0.0.0/33\"]", "relay", ["networks"]),
    ("a resolver that is none", "servers = [\"resolver.test\"]", "dns", ["servers"]),
    ("a log format that is none", "format = \"xml\"", "log", ["format"]),
    ("a certificate without its key", "tls_certificate = \"/nonexistent.crt\"", "smtp", ["tls_key"]),
    ("a next hop of another scheme", "next_hop = [\"http://127.0.0.1\"]", "route", ["next_hop"]),
]


def with_line(case, table, line):
    """(file, number of the wrong line): a good configuration with one line changed or added."""
    settings = base()
    settings["unknown_ip"] = {"mode": "enforce", "actions": {"no_ptr": "450"}}
    settings["limits"] = {"recipients_max": 100}
    settings["smtp"] = {"errors_max": 20}
    settings["server"]["spool"] = str(case.path("spool"))
    settings["log"] = {"target": "stderr"}
    lines = toml(settings).splitlines()
    heading = lines.index("[[route]]" if table == "route" else f"[{table}]")
    key = line.split(" = ")[0]
    end = next((i for i in range(heading + 1, len(lines)) if lines[i].startswith("[")), len(lines))
    same = [i for i in range(heading + 1, end) if lines[i].startswith(key + " =")]
    if same:
        lines[same[0]] = line
    else:
        lines.insert(heading + 1, line)
    file = case.directory / "wrong.toml"
    file.write_text("\n".join(lines) + "\n")
    return file, (same[0] if same else heading + 1) + 1


def postern(case, *words):
    done = subprocess.run([case.postern_path, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


@suite.case("config-wrong", f"postern check: {len(WRONG)} wrong configurations are told by file, line and key")
def config_wrong(case):
    for what, line, table, words in WRONG:
        file, number = with_line(case, table, line)
        for command in ("check", "run"):
            status, output = postern(case, command, "--config", file)
            check(0 < status < 126, f"{command}, {what}: exit status {status}: {output}")
            for word in words + [f"{file}:{number}"]:
                check(word in output, f"{command}, {what} ({line}): {word!r} is not in: {output}")


@suite.case("config-all-at-once", "postern check tells all wrong keys in one run")
def config_all_at_once(case):
    file, _ = with_line(case, "server", "hostnam = \"gw.test\"\nspol = \"/x\"")
    status, output = postern(case, "check", "--config", file)
    check(status != 0 and "hostnam" in output and "spol" in output, f"exit status {status}: {output}")


@suite.case("config-syntax", "broken TOML, a missing and an unreadable file are told clearly")
def config_syntax(case):
    file = case.directory / "broken.toml"
    file.write_text("[server]\nhostname = \"gw.test\nlisten = []\n")
    status, output = postern(case, "check", "--config", file)
    check(0 < status < 126 and f"{file}:2" in output, f"broken TOML: exit status {status}: {output}")
    status, output = postern(case, "check", "--config", case.directory / "absent.toml")
    check(0 < status < 126 and "absent.toml" in output, f"missing file: exit status {status}: {output}")
    status, output = postern(case, "check", "--config", case.directory)
    check(0 < status < 126 and str(case.directory) in output, f"a directory: exit status {status}: {output}")


@suite.case("config-good", "postern check accepts a good configuration with exit status 0")
def config_good(case):
    server = Postern(case.postern_path, case.path("postern"), "127.0.0.1", 2525, base())
    status, output, errors = server.command("check")
    check(status == 0, f"exit status {status}: {output}{errors}")


@suite.case("command-line", "unknown commands and options are refused with the usage; --help shows it")
def command_line(case):
    for words in (["fly"], ["run", "--colour"], ["queue", "explode"], ["queue", "show"], []):
        status, output = postern(case, *words)
        check(0 < status < 126 and output.strip(), f"postern {' '.join(words)}: exit status {status}: {output}")
    status, output = postern(case, "--help")
    check(status == 0, f"--help: exit status {status}")
    for word in ("run", "check", "queue"):
        check(word in output, f"--help does not mention {word}: {output}")
