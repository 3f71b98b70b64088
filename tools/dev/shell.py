"""Running commands, and where things are."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


class Failed(Exception):
    """A step failed; the text says what and what to do next."""


def say(text: str, out: TextIO | None = None) -> None:
    print(f"dev: {text}", file=out or sys.stdout, flush=True)


def environment() -> dict[str, str]:
    """The environment of builds and tests: sanitizers stop at the first report and print readable stacks."""
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:"
                                   f"suppressions={ROOT / 'tools/dev/tsan.supp'}")
    for sanitizer in ("ASAN", "UBSAN", "TSAN"):
        env.setdefault(f"{sanitizer}_SYMBOLIZER_PATH", "/usr/bin/llvm-symbolizer-19")
    env.setdefault("CTEST_OUTPUT_ON_FAILURE", "1")
    return env


def run(command: list[str | Path], timeout_seconds: float | None = None, quiet: bool = False, aside: bool = False) -> None:
    """Runs a command in the checkout; Failed when it fails. quiet: its output is shown only on failure; aside: it goes to
    standard error, so that it does not stand before figures."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=ROOT, env=environment(), timeout=timeout_seconds, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else sys.stderr if aside else None, stderr=subprocess.STDOUT if quiet else None)
    except FileNotFoundError:
        raise Failed(f"{words[0]} is not there; run './dev setup'") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"took longer than {timeout_seconds:.0f} s: {shlex.join(words)}") from None
    if done.returncode != 0:
        if quiet:
            sys.stdout.write(done.stdout)
        raise Failed(f"exit code {done.returncode}: {shlex.join(words)}")


class Step:
    """Prints a step's name before and its time after it."""

    times: list[tuple[str, float, bool]] = []

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> "Step":
        self.start = time.monotonic()
        say(f"== {self.name}")
        return self

    def __exit__(self, kind, value, trace) -> None:
        seconds = time.monotonic() - self.start
        Step.times.append((self.name, seconds, kind is None))
        say(f"== {self.name}: {'done' if kind is None else 'FAILED'} after {seconds:.0f} s")
