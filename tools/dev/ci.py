"""./dev ci: what a change must pass. Stops at the first failing step."""

import time

import building
import fuzzing
import setup
import simulating
import testing
from shell import BUILD, ROOT, Failed, Step, run, say

LIMIT_MINUTES = 45
TIDY_SECONDS = 120  # what changed last comes first
SIM_SEEDS = 2000
SIM_FAILURES_MAX = 5
FUZZ_SECONDS_MAX = 20
FUZZ_SECONDS_TOTAL = 80  # of wall time, two fuzzers at a time
ROOMS_WITH_THREADS = ["io", "queue"]


def ci() -> None:
    start = time.monotonic()
    try:
        steps()
    finally:
        say("times:")
        for name, seconds, good in Step.times:
            print(f"    {seconds:6.0f} s  {name}{'' if good else '  FAILED'}", flush=True)
        minutes = (time.monotonic() - start) / 60
        print(f"    {minutes * 60:6.0f} s  in all ({minutes:.1f} minutes; the limit is {LIMIT_MINUTES})", flush=True)
        if minutes > LIMIT_MINUTES:  # no failure: a slow machine is not the change's fault
            say(f"WARNING: took {minutes:.0f} minutes; {LIMIT_MINUTES} is the limit")


def steps() -> None:
    with Step("setup"):
        setup.setup()
    with Step("build dev"):
        building.build("dev")
    with Step("check"):
        run([ROOT / "tools/checks/run", "--all"])
    with Step("tidy"):
        run([ROOT / "tools/checks/run", "--tidy", "--seconds", str(TIDY_SECONDS)])
    with Step("release build"):
        program = building.program("release")
    with Step("demo"):
        run([program, "demo"], timeout_seconds=180)
    with Step("sim"):
        simulating.run_range(0, SIM_SEEDS, SIM_FAILURES_MAX)
    with Step("tsan"):
        testing.build_and_run_room_tests("tsan", ROOMS_WITH_THREADS)
    with Step("fuzz"):
        names = fuzzing.fuzzers()
        seconds = min(FUZZ_SECONDS_MAX, max(3, 2 * FUZZ_SECONDS_TOTAL // max(1, len(names))))
        fuzzing.fuzz(None, seconds)
    # Last, so that the closing line of the output is the count of the tests.
    with Step("test"):
        testing.test([], left_out=r"^check\.")  # they were the step "check"
