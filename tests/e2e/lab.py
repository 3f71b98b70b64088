"""postern lab: what is shown agrees with the profiles' file, read here by Python's own TOML reader."""

import json
import pathlib
import subprocess
import time
import tomllib

from fixture import suite
from harness.runner import check, equal

PROFILES = pathlib.Path(__file__).resolve().parents[2] / "src/upstream/profiles.toml"
FLOWS = ["accepted-then-refused", "delay", "dns-outage", "kb", "recovers", "spam-tool", "third-party", "two-mx"]


def lab(case, *words):
    done = subprocess.run([str(case.postern_path), "lab", *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def planned(profile):
    """When a server with this profile tries, from its facts alone."""
    times, waits = [0], list(profile["retry"])
    while times[-1] < profile["give_up"]:
        wait = waits.pop(0) if waits else profile["then"]
        times.append(min(times[-1] + wait, profile["give_up"]) if wait else profile["give_up"])
    return times


def squeezed(text):
    return "".join(text.split())


def check_run(run, profile):
    name = run["profile"]
    tries = [a for a in run["attempts"] if a["from"] == "partner" and a["to"] == "gw"]
    equal([round(a["at"]) for a in tries], planned(profile), f"{name}: times of the attempts")
    check(all(a["outcome"].startswith("450 4.7.25 ") for a in tries), f"{name}: each is refused with 450")
    reports = [r for r in run["reports"] if r["kind"] == "failure"]
    if not profile.get("reports", True):
        equal(run["reports"], [], f"{name}: reports")
        return
    equal(len(reports), 1, f"{name}: reports of failure")
    report = reports[0]
    equal(round(report["at"]), profile["give_up"], f"{name}: the report's time")
    equal(report["by"], "partner", f"{name}: who reports")
    display = profile["report_from"].split("<")[0].split("(")[-1].rstrip(") ").split("@")[0]
    check(display in report["from"], f"{name}: from {report['from']}, the profile says {profile['report_from']}")
    words = tries[-1]["outcome"].split(" ", 2)[2]
    equal(squeezed(words) in squeezed(report["text"]), profile["quotes_reply"], f"{name}: the text quotes our reply")
    delays = [r for r in run["reports"] if r["kind"] == "delay"]
    wanted = [profile["delay_notice"]] if profile["delay_notice"] else []
    equal([round(r["at"]) for r in delays], wanted, f"{name}: notices of delay")


@suite.case("lab-profiles", "postern lab run kb, for every profile: attempts, time, sender and words of the report")
def lab_profiles(case):
    facts = tomllib.loads(PROFILES.read_text())
    status, output, errors = lab(case, "run", "kb", "--profile", "all", "--json")
    equal((status, errors), (0, ""), "exit status and errors")
    document = json.loads(output)
    check(document["ok"], "everything came out as it must")
    equal([run["profile"] for run in document["runs"]], list(facts), "the profiles")
    for run in document["runs"]:
        check_run(run, facts[run["profile"]])


@suite.case("lab-flows", "every shipped flow comes out as it expects, within seconds, and can be written out and run again")
def lab_flows(case):
    status, output, _ = lab(case, "list")
    equal((status, [line.split()[0] for line in output.splitlines()]), (0, FLOWS), "postern lab list")
    for name in FLOWS:
        begun = time.monotonic()
        status, output, errors = lab(case, "run", name)
        equal((status, errors), (0, ""), f"{name}: exit status and errors")
        check("What the users saw, and when" in output and "BROKEN" not in output, f"{name}: the text")
        check(time.monotonic() - begun < 10, f"{name}: takes seconds")
        path = case.path("files") / (name + ".toml")
        path.write_text(lab(case, "show", name)[1])
        equal(lab(case, "run", str(path))[1], output, f"{name}: the same from a file")
    equal(lab(case, "run", "kb", "--watch")[1], lab(case, "run", "kb")[1], "--watch without a terminal")


@suite.case("lab-mistakes", "a wrong scenario, profile or word is told with what to do, exit status 2; a broken expectation: 1")
def lab_mistakes(case):
    wrong = case.path("files") / "wrong.toml"
    wrong.write_text(lab(case, "show", "kb")[1].replace('engine = "postern"', 'engine = "postren"'))
    status, output, errors = lab(case, "run", str(wrong))
    equal((status, output), (2, ""), "a wrong engine")
    line = next(i for i, text in enumerate(wrong.read_text().splitlines(), 1) if "postren" in text)
    check(f"{wrong}:{line}:" in errors and "postren" in errors, f"file and line are told: {errors}")
    broken = case.path("files") / "broken.toml"
    broken.write_text(lab(case, "show", "recovers")[1].replace("2h26m40s", "3h"))
    status, output, _ = lab(case, "run", str(broken))
    equal((status, output.count("BROKEN")), (1, 1), "a broken expectation")
    for words, told in (
            (("run", "k"), 'did you mean "kb"?'),
            (("run", "kb", "--profile", "exchnge"), 'did you mean "exchange"?'),
            (("run", "kb", "--profiles", "/nonexistent"), "cannot read"),
            (("run", "kb", "--watch", "--json"), "leave --json"),
            (("rnu", "kb"), 'did you mean "run"?')):
        status, output, errors = lab(case, *words)
        equal(status, 2, f"{words}: exit status")
        check(told in errors, f"{words}: {errors}")
    equal(lab(case, "run", "--help")[0], 0, "--help")
    own = case.path("files") / "own.toml"
    own.write_text('[fast]\nretry = [60]\nthen = 60\ngive_up = 600\nreport_from = "me@host"\n'
                   'report_text = "no: {reply}"\nquotes_reply = true\n')
    status, output, errors = lab(case, "run", "kb", "--profiles", str(own), "--profile", "all", "--json")
    equal((status, errors), (0, ""), "a profile of one's own")
    rows = json.loads(output)["profiles"]
    equal([(r["profile"], r["attempts"], round(r["report"]), r["report_from"]) for r in rows],
          [("fast", 11, 600, "me@mail.partner.example")], "what came of it")
