"""postern explain: the check of one client as it is now, and what everybody would see."""

import json
import subprocess

from fixture import DNS, suite
from harness.dns_stub import A, PTR, DnsStub, reverse
from harness.runner import check, equal

RECORDS = {
    reverse("192.0.2.7"): {PTR: []},
    reverse("192.0.2.8"): {PTR: ["1.2.3.4", "mail.partner.test"]},
    "mail.partner.test": {A: ["192.0.2.99"]},
    reverse("192.0.2.9"): {PTR: ["good.partner.test"]},
    "good.partner.test": {A: ["192.0.2.9"]},
}


def explain(case, *words, mode="enforce"):
    folder = case.path("explain")
    folder.mkdir(exist_ok=True)
    config = folder / "postern.toml"
    config.write_text(f"""
[server]
hostname = "gw.test"
[relay]
domains = ["example.test"]
[unknown_ip]
mode = "{mode}"
check_private = true
exempt_networks = ["192.0.2.200"]
[unknown_ip.actions]
mismatch = "550"
[[unknown_ip.override]]
sender_domain = "friend.test"
action = "accept"
comment = "ticket 12"
[[unknown_ip.override]]
sender_domain = "old-friend.test"
action = "accept"
comment = "ticket 11"
expires = "2020-01-31"
[[unknown_ip.override]]
sender_domain = "foe.test"
action = "550"
comment = "ticket 13"
[dns]
servers = ["{DNS}"]
""")
    done = subprocess.run([str(case.postern_path), "explain", "--config", str(config), *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def explained(case, *words, **options):
    status, output, errors = explain(case, *words, "--json", **options)
    equal((status, errors), (0, ""), f"exit status and errors of {words}")
    return json.loads(output)


@suite.case("explain", "postern explain --client: lookups, reply, who reports when, what to publish; over a real resolver")
def explain_client(case):
    case.started(DnsStub(DNS, RECORDS))
    nameless = explained(case, "--client", "192.0.2.7", "--helo", "mail.partner.test", "--profile", "postfix")
    equal((nameless["state"], nameless["action"]), ("no_ptr", "450"), "without PTR")
    check(nameless["reply"].startswith("450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.7]: "
                                       "no PTR record (case "), nameless["reply"])
    equal(nameless["publish"], ["7.2.0.192.in-addr.arpa. IN PTR mail.partner.test.",
                                "mail.partner.test. IN A 192.0.2.7"], "what is to be published")
    upstream = nameless["upstreams"][0]
    equal((upstream["profile"], upstream["first_sign_seconds"], upstream["gives_up_seconds"]),
          ("postfix", 432000, 432000), "the first sign and the report")
    check(nameless["reply"].split(" (")[0] in upstream["report_text"], "the report quotes our reply")

    mismatched = explained(case, "--client", "192.0.2.8")
    equal((mismatched["state"], mismatched["reply"][:10]), ("mismatch", "550 5.7.25"), "an address that differs")
    equal([(n["name"], n["usable"]) for n in mismatched["names"]], [("1.2.3.4", False), ("mail.partner.test", True)],
          "its names")
    equal(mismatched["publish"], ["mail.partner.test. IN A 192.0.2.7".replace(".7", ".8")], "the address that is missing")

    confirmed = explained(case, "--client", "192.0.2.9", mode="off")
    equal((confirmed["state"], confirmed["refused"], confirmed["mode"]), ("pass", False, "off"), "confirmed")
    exempt = explained(case, "--client", "192.0.2.200")
    equal((exempt["state"], exempt["skipped_because"]), ("skipped", "exempt network"), "exempt")

    friend = explained(case, "--client", "192.0.2.8", "--from", "ann@friend.test")
    equal((friend["state"], friend["action"], friend["override"], friend["refused"]),
          ("mismatch", "accept", "ticket 12", False), "excused by an override")

    old_friend = explained(case, "--client", "192.0.2.8", "--from", "ann@old-friend.test")
    equal((old_friend["refused"], old_friend["expired_override"]), (True, "ticket 11"), "no override any more")
    foe = explained(case, "--client", "192.0.2.8", "--from", "ann@foe.test")
    check(foe["override"] == "ticket 13" and "exempt" not in foe, f"another override would not help: {foe}")
    status, text, errors = explain(case, "--client", "192.0.2.8", "--from", "ann@foe.test")
    check("To let it in, change the override ticket 13." in text, text)

    status, text, errors = explain(case, "--client", "192.0.2.8", "--from", "ann@partner.test", "--mail")
    equal((status, errors), (0, ""), "the letter")
    for words in ["From: postmaster@gw.test\nTo: postmaster@partner.test\n", "@gw.test>\nMIME-Version: 1.0\n",
                  "mail.partner.test. IN A 192.0.2.8", "mail.partner.test: 192.0.2.99", "We answered it"]:
        check(words in text, f"the letter has: {words}\n{text}")
    status, text, errors = explain(case, "--client", "192.0.2.8", "--mail", mode="observe")
    check(status == 0 and "We took the mail." in text and "We answered" not in text, f"the letter when observing\n{text}")
    final = mismatched["upstreams"][0]
    check(final["gives_up_seconds"] == 0 and "next_attempt" not in final, f"a 550 ends it at once: {final}")
    report = explained(case, "--client", "192.0.2.7", "--from", "<>", "--profile", "postfix")
    check(report["from"] == "" and "report_text" not in report["upstreams"][0], "nobody is told of a report")
    status, text, errors = explain(case, "--client", "192.0.2.7")
    check("It reads at RCPT" in text and "Escalation: off" in text, f"where, and whether it escalates\n{text}")
    status, text, errors = explain(case, "--client", "192.0.2.8", mode="observe")
    for words in ["Mode: observe, so that the client is accepted", "reports at once, since 550 is final",
                  '[[unknown_ip.override]]\n    network = "192.0.2.8"\n    action = "accept"']:
        check(words in text, f"the text has: {words}\n{text}")


@suite.case("explain-mistakes", "postern explain says what is wrong with what it was given")
def explain_mistakes(case):
    for words, told in [(["--client", "x"], "write 192.0.2.7"), ([], "which case, or which --client?"),
                        (["192.0.2.7"], "write --client 192.0.2.7"), (["no-case"], "(case 4F7KQ2)"),
                        (["4F7KQ2", "--client", "192.0.2.7"], "--client"), (["4F7KQ2", "--helo", "h"], "--helo"),
                        (["--client", "192.0.2.7", "--now"], "--now"),
                        (["--client", "192.0.2.7", "--from", "x y"], "--from"),
                        (["--client", "192.0.2.7", "--profile", "exchang"], "did you mean exchange?")]:
        status, output, errors = explain(case, *words)
        equal((status, output), (2, ""), f"{words}")
        check(told in errors, f"{words}: {errors}")
    case.started(DnsStub(DNS, RECORDS))
    status, output, errors = explain(case, "--client", "192.0.2.9", "--mail")
    equal(status, 1, "no letter about a client that is accepted")
