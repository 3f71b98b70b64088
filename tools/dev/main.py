"""./dev: build, test, check and try Postern. Only Python's standard library."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_delivery  # noqa: E402
import bench_ledger  # noqa: E402
import bench_replay  # noqa: E402
import benching  # noqa: E402
import building  # noqa: E402
import ci  # noqa: E402
import fuzzing  # noqa: E402
import setup  # noqa: E402
import simulating  # noqa: E402
import testing  # noqa: E402
from shell import BUILD, ROOT, Failed, run, say  # noqa: E402


def add(commands, name: str, short: str, more: str = "") -> argparse.ArgumentParser:
    return commands.add_parser(name, help=short, description=f"{short}. {more}".strip())


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="./dev", description="Build, test, check and try Postern.",
                                  epilog="'./dev COMMAND --help' says more. Start with './dev demo'.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    one = add(commands, "setup", "install the Debian packages that are missing",
              "Says which and why (tools/dev/packages.txt). Servers among them are not started. All other commands do "
              "this first when something is missing.")
    one.add_argument("--install-only", action="store_true", help=argparse.SUPPRESS)
    one = add(commands, "build", "compile; leaves build/PRESET/postern")
    one.add_argument("preset", nargs="?", default="dev", help=f"one of {', '.join(building.presets())}; default dev")
    one.add_argument("targets", nargs="*", help="ninja targets, such as postern or smtp_test; default all")
    add(commands, "demo", "show the whole story on this machine: accepted, refused, and reported mail",
        "Builds the release preset and runs 'postern demo'. Needs no configuration, no network, no privileges.")
    one = add(commands, "run", "start a server to play with; prints its ports",
              "Builds the release preset and runs 'postern play'. Ctrl-C ends it.")
    one.add_argument("words", nargs=argparse.REMAINDER, help="passed on to 'postern play'")
    one = add(commands, "test", "build the dev preset and run every test",
              "Unit, dialog and simulation tests and the checks (ctest), then tests/e2e and tests/interop side by side. Closes "
              "with the line 'N passed, N failed'.")
    one.add_argument("filter", nargs="*", help="a room (its tests only), e2e, interop, or a pattern of ctest names")
    one = add(commands, "check", "the house's rules: format, floors, sizes, banned words, RFC citations, documents",
              "Without names all of them but tidy.")
    one.add_argument("--tidy", action="store_true", help="clang-tidy, on the files named or on what differs from main")
    one.add_argument("--every", action="store_true", help="with --tidy: on every file (7 s each)")
    one.add_argument("--write", action="store_true", help="mend what a tool can: layout, docs/rfc/coverage.md")
    one.add_argument("names", nargs="*", help="checks by name; with --tidy source files")
    add(commands, "ci", "everything that a change must pass, with the time of each step")
    one = add(commands, "fuzz", "run the fuzzers", f"They are: {', '.join(fuzzing.fuzzers()) or 'none yet'}.")
    one.add_argument("target", nargs="?", help="one fuzzer; default all, two at a time")
    one.add_argument("--seconds", type=int, default=60, help="for each; default 60")
    one = add(commands, "sim", "whole servers in virtual time, by seed, with faults and checkers (tests/sim)",
              "Builds postern_sim with the release. With --seed: that seed with its plan, the gateway's log and the "
              "findings. Otherwise a range of seeds on all cores; exit code 1 when one fails.")
    one.add_argument("--seed", type=int, help="show this seed in full")
    one.add_argument("--trace", action="store_true", help="with --seed: every event too")
    one.add_argument("--seeds", metavar="A-B", help="run these seeds")
    one.add_argument("--count", type=int, default=2000, help="how many seeds; default 2000")
    one.add_argument("--from", dest="start", type=int, default=0, help="the first of them; default 0")
    one.add_argument("--failures", type=int, default=10, help="stop after so many that fail; default 10")
    one.add_argument("--preset", default=simulating.PRESET, help="another build, such as dev; default release")
    one = add(commands, "bench", "measure something and compare it with its bounds; alone, list the measurements",
              "queue: the queue on the real store, with a million messages: enqueue, restart, memory; needs 8 GB of disk. "
              "delivery: what 100,000 messages for a dead destination cost the delivery of another's. ledger: what recording "
              "refusals costs, also with a million recorded. replay: how long a log of a million lines is read. Each builds "
              "the release preset and takes some minutes. Exit code 1 when a bound is missed.")
    one.add_argument("what", nargs="?", choices=["queue", "delivery", "ledger", "replay"], help="what to measure")
    one.add_argument("--messages", type=int, default=1_000_000,
                     help="with queue and ledger: how many; with replay: how many lines; default 1000000")
    one.add_argument("--directory", help="an existing directory on the disk to measure; default build/")
    one.add_argument("--json", action="store_true", help="for programs")
    add(commands, "help", "show this help")
    one = add(commands, "clean", "remove the presets' build folders")
    one.add_argument("--all", action="store_true", help="all of build/")
    return top


def check(arguments) -> None:
    command = [ROOT / "tools/checks/run"]
    if arguments.write:
        command += ["--write"]
    elif arguments.tidy:
        building.configure("dev")
        command += ["--tidy", *(["--every"] if arguments.every else arguments.names or ["--changed"])]
    else:
        command += arguments.names or ["--all"]
    run(command)


def bench(arguments) -> None:
    if arguments.what == "queue":
        benching.bench_queue(arguments.messages, arguments.directory, arguments.json)
        return
    if arguments.what == "delivery":
        bench_delivery.bench_delivery(arguments.directory, arguments.json)
        return
    if arguments.what == "ledger":
        bench_ledger.bench_ledger(arguments.messages, arguments.directory, arguments.json)
        return
    if arguments.what == "replay":
        bench_replay.bench_replay(arguments.messages, arguments.directory, arguments.json)
        return
    entries = sorted(path for path in (ROOT / "bench").glob("*/*") if os.access(path, os.X_OK) and path.is_file())
    sources = sorted((ROOT / "src").rglob("*_bench.cc"))
    for path in entries:
        print(f"    {path.relative_to(ROOT)}")
    for path in sources:
        print(f"    {path.relative_to(ROOT)}: ./dev bench {path.stem.removesuffix('_bench')}")
    if not entries and not sources:
        print("there are no measurements yet; they will be under bench/ and in src/**/*_bench.cc")


def main() -> int:
    arguments = parser().parse_args()
    if arguments.command == "help":
        parser().print_help()
        return 0
    try:
        if arguments.command == "setup":
            setup.setup(install_only=arguments.install_only)
            return 0
        if arguments.command != "clean" and not (arguments.command == "bench" and not arguments.what):
            setup.ensure()
        match arguments.command:
            case "build":
                building.build(arguments.preset, arguments.targets)
                if (BUILD / arguments.preset / "postern").exists():
                    say(f"build/{arguments.preset}/postern is ready")
            case "demo":
                building.exec_program(["demo"])
            case "run":
                building.exec_program(["play", *arguments.words])
            case "test":
                testing.test(arguments.filter)
            case "check":
                check(arguments)
            case "ci":
                ci.ci()
            case "fuzz":
                fuzzing.fuzz(arguments.target, arguments.seconds)
            case "sim":
                simulating.sim(arguments)
            case "bench":
                bench(arguments)
            case "clean":
                building.clean(arguments.all)
        return 0
    except Failed as failure:
        sys.stdout.flush()
        print(f"dev: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dev: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
