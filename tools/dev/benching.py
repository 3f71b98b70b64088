"""./dev bench: measurements against bounds."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import building
from shell import BUILD, Failed, environment, say

PRESET = "release"
CYCLE_MESSAGES = 50_000
SAMPLES, SAMPLE_MESSAGES = 9, 15_000
SECONDS_MAX = 1800


@dataclass
class Figure:
    """One line of the table. A figure without a bound is for information."""
    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    def good(self) -> bool:
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def bound(self) -> str:
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"


def progress(text: str) -> None:
    say(text, sys.stderr)  # beside the figures, which may be JSON


def measure(program: Path, *words) -> dict:
    command = [str(program), *map(str, words)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), stdin=subprocess.DEVNULL,
                              timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise Failed(f"took longer than {SECONDS_MAX} s: {' '.join(command)}") from None
    if done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def measure_queue(program: Path, directory: Path, messages: int) -> list[Figure]:
    """Each measurement in a process of its own, so that memory is what it costs after a start."""
    cycle = measure(program, "cycle", directory / "cycle", CYCLE_MESSAGES)
    shutil.rmtree(directory / "cycle")
    progress(f"filling a queue with {messages} messages")
    fill = measure(program, "fill", directory / "full", messages)
    restart = measure(program, "restart", directory / "full")
    sample = measure(program, "sample", directory / "full", SAMPLES, SAMPLE_MESSAGES)
    if restart["messages"] != messages or sample["queued"] != messages:
        raise Failed(f"{messages} messages were queued, {restart['messages']} and {sample['queued']} were there again")
    return [
        Figure("taken, leased, read and completed", cycle["per_second"], "messages/s"),
        Figure("CPU for each of them", cycle["cpu_us"], "us"),
        Figure("enqueue while it fills, first tenth", fill["first_tenth_per_second"], "messages/s"),
        Figure("enqueue while it fills, last tenth", fill["last_tenth_per_second"], "messages/s"),
        Figure("enqueue, empty queue", sample["empty_per_second"], "messages/s"),
        Figure(f"enqueue, {messages} queued", sample["full_per_second"], "messages/s"),
        Figure("ratio of these two", sample["ratio"], "", least=0.8),
        Figure(f"restart with {messages}: until the first lease", restart["first_lease_seconds"], "s", most=15),
        Figure("of that, opening the store", restart["open_seconds"], "s"),
        Figure("CPU for that restart", restart["cpu_seconds"], "s"),
        Figure("memory for each message, resident", restart["resident_bytes_each"], "bytes", most=300),
        Figure("memory for each message, allocated", restart["allocated_bytes_each"], "bytes", most=300),
    ]


def report(figures: list[Figure], as_json: bool) -> bool:
    if as_json:
        print(json.dumps([{**vars(figure), "good": figure.good()} for figure in figures], indent=2))
    else:
        for figure in figures:
            verdict = "" if not figure.bound() else f"{figure.bound():<14} {'good' if figure.good() else 'MISSED'}"
            print(f"{figure.name:<52} {figure.value:>10,.6g} {figure.unit:<11} {verdict}".rstrip())
    return all(figure.good() for figure in figures)


def run_in_folder(name: str, directory: str | None, as_json: bool, take: Callable[[Path], list[Figure]]) -> None:
    """Takes figures in a folder that is removed afterwards, and fails when one misses its bound. Below build/, if nothing else is
    said, and not where a system may keep temporary files in memory."""
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-", dir=directory or BUILD) as folder:
        before = os.getloadavg()[0]
        figures = take(Path(folder))
    if before > (os.cpu_count() or 1) / 2:
        progress(f"other programs kept this machine busy (load {before:.1f} at the start): the figures are worse than they are")
    if not report(figures, as_json):
        raise Failed("a bound was missed")


def bench_queue(messages: int, directory: str | None, as_json: bool) -> None:
    building.build(PRESET, ["queue_bench"])
    run_in_folder("queue", directory, as_json,
                  lambda folder: measure_queue(BUILD / PRESET / "queue_bench", folder, messages))
