"""postern lab: what is shown agrees with the profiles' file, read here by Python's own TOML reader."""

import json
import pathlib
import subprocess
import tomllib

from fixture import suite
from harness.runner import check, equal

PROFILES = pathlib.Path(__file__).resolve().parents[2] / "src/upstream/profiles.toml"
FLOWS = ["accepted-then-refused", "busy", "delay", "dns-outage", "escalation", "kb", "pool", "recovers", "spam-tool",
         "third-party", "two-mx"]


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


def check_forecast(row, profile):
    """Of mail that was given up: whether the forecast after five attempts is within one retry interval."""
    times = planned(profile)
    ledger = row["ledger"]
    five = next(view for view in ledger["said"] if view["attempts"] == 5)
    error = five["gives_up"] - profile["give_up"]
    equal(five["outcome"], "retrying", f"{row['profile']}: after five attempts")
    check(abs(ledger["forecast_error"]["gives_up"] - error) < 60, f"{row['profile']}: the error that is told: {ledger}")
    print(f"lab-ledger: {row['scenario']}, {row['profile']}: seems to be {five['profile']}, gives up "
          f"{error:+.0f} s from the truth")
    return abs(error) <= times[5] - times[4]


def check_outcome(row, profile):
    """The outcome, from the profile's facts and what the scenario does."""
    ledger, name, waits = row["ledger"], f"{row['scenario']}, {row['profile']}", planned(profile)
    equal((ledger["ok"], ledger["faults"]), (True, []), f"{name}: never wrong before the end")
    said = ledger["said"][-1]["outcome"]
    if row["profile"] == "spam_tool":
        equal(said, "never_retried", name)
    elif row["scenario"] == "recovers":
        equal(said, "recovered", name)
        equal(ledger["deferral"]["accepted_from"], "192.0.2.7", f"{name}: from where")
        # What was looked up before the record was published is remembered for a while.
        later = [t for t in waits if t >= 7200][:3]
        check(any(abs(ledger["deferral"]["delay"] - t) < 60 for t in later), f"{name}: delay {ledger['deferral']}")
    elif row["scenario"] == "pool":
        equal(said, "recovered", name)
        equal(ledger["deferral"]["accepted_from"], "203.0.113.9", f"{name}: from where")
        equal(len(ledger["deferral"]["addresses"]), 3, f"{name}: addresses")
        equal(round(ledger["deferral"]["delay"]), waits[3], f"{name}: delay")
    else:
        equal(said, "given_up", name)
        check(ledger["said"][-1]["at"] > profile["give_up"], f"{name}: not before it did")
        equal(round(ledger["truth"]["ended"]), profile["give_up"], f"{name}: when it did")


@suite.case("lab-ledger", "postern lab check: outcome and forecast of every mail server in every flow, by the profiles' file")
def lab_ledger(case):
    facts = tomllib.loads(PROFILES.read_text())
    status, output, errors = lab(case, "check", "--json")
    equal((status, errors), (0, ""), "exit status and errors")
    document = json.loads(output)
    check(document["ok"] and document["broken"] == [], f"everything is right: {document['broken']}")
    for scenario, ledgers in (("kb", 1), ("recovers", 1), ("spam-tool", 1), ("two-mx", 2), ("pool", 1)):
        rows = [row for row in document["rows"] if row["scenario"] == scenario]
        equal([row["profile"] for row in rows], [name for name in facts for _ in range(ledgers)], f"{scenario}: profiles")
        for row in rows:
            check_outcome(row, facts[row["profile"]])
    for scenario in ("kb", "two-mx", "busy"):
        rows = [row for row in document["rows"] if row["scenario"] == scenario and row["profile"] != "spam_tool"]
        near = {row["profile"] for row in rows if check_forecast(row, facts[row["profile"]])}
        check(len(near) >= 10, f"{scenario}: near enough are {sorted(near)}")


@suite.case("lab-flows", "every shipped flow comes out as it expects, and can be written out and run again")
def lab_flows(case):
    status, output, _ = lab(case, "list")
    equal((status, [line.split()[0] for line in output.splitlines()]), (0, FLOWS), "postern lab list")
    for name in FLOWS:
        status, output, errors = lab(case, "run", name)
        equal((status, errors), (0, ""), f"{name}: exit status and errors")
        check("What the users saw, and when" in output and "BROKEN" not in output, f"{name}: the text")
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
