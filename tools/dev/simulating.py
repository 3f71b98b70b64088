"""./dev sim: towns in virtual time by seed (tests/sim)."""

import os
import subprocess
import threading
import time

import building
from shell import BUILD, ROOT, Failed, environment, say

PRESET = "release"
CHUNK_SEEDS_MAX = 250
SILENCE_SECONDS_MAX = 300  # a seed takes milliseconds
PROGRESS_SECONDS = 10


def program(preset: str = PRESET) -> str:
    building.build(preset, ["postern_sim"])
    return str(BUILD / preset / "postern_sim")


class Range:
    """Seeds that several processes share: each takes the next chunk."""

    def __init__(self, path: str, first: int, count: int, failures_max: int):
        self.path, self.next, self.end = path, first, first + count
        self.failures_max = failures_max
        self.chunk = max(1, min(CHUNK_SEEDS_MAX, count // (4 * (os.cpu_count() or 1))))
        self.lock = threading.Lock()
        self.ran = 0
        self.failed: list[int] = []
        self.sums: dict[str, int] = {}
        self.last_seed = 0

    def take(self) -> tuple[int, int] | None:
        with self.lock:
            if self.next >= self.end or len(self.failed) >= self.failures_max:
                return None
            first = self.next
            self.next = min(self.end, first + self.chunk)
            return first, self.next - first

    def fail(self, seed: int, lines: list[str]) -> None:
        with self.lock:
            self.failed.append(seed)
            if len(self.failed) <= self.failures_max:
                print(f"seed {seed} failed; again with its log: ./dev sim --seed {seed}")
                print("\n".join(lines), flush=True)

    def work(self) -> None:
        while (chunk := self.take()) is not None:
            first, count = chunk
            while count > 0:
                following = self.run_chunk(first, count)
                count -= following - first
                first = following

    def run_chunk(self, first: int, count: int) -> int:
        """The seed to go on with, which is in the chunk only when the process died at the one before."""
        seed, told = first, []
        errors_at = BUILD / f"sim-{first}.err"
        with open(errors_at, "w+") as errors, subprocess.Popen(
                [self.path, str(first), str(count)], cwd=ROOT, env=environment(), text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process:
            alarm = threading.Timer(SILENCE_SECONDS_MAX, process.kill)
            alarm.start()
            for line in process.stdout:
                word, _, rest = line.rstrip("\n").partition(" ")
                if word == "ran":
                    alarm.cancel()
                    alarm = threading.Timer(SILENCE_SECONDS_MAX, process.kill)
                    alarm.start()
                    seed = int(rest) + 1
                    self.note_ran()
                    if len(self.failed) >= self.failures_max:
                        process.kill()
                        errors_at.unlink()
                        return first + count
                elif word == "failed":
                    told = []
                elif word == "end":
                    self.fail(seed, told)
                elif word == "sum":
                    self.add_sum(rest)
                else:
                    told.append(line.rstrip("\n"))
            process.wait()
            alarm.cancel()
            errors.seek(0)
            words = errors.read().splitlines()
        errors_at.unlink()
        if seed < first + count:
            self.fail(seed, [f"  the program ended with {process.returncode}", *(f"  {word}" for word in words[-40:])])
            self.note_ran()
            return seed + 1
        return seed

    def note_ran(self) -> None:
        with self.lock:
            self.ran += 1

    def add_sum(self, text: str) -> None:
        name, _, number = text.rpartition(" ")
        with self.lock:
            self.sums[name] = self.sums.get(name, 0) + int(number)


def run_range(first: int, count: int, failures_max: int, preset: str = PRESET) -> None:
    path = program(preset)
    seeds = Range(path, first, count, failures_max)
    workers = [threading.Thread(target=seeds.work) for _ in range(os.cpu_count() or 1)]
    start = told = time.monotonic()
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.1)
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            rate = seeds.ran / (told - start)
            left = (count - seeds.ran) / rate if rate > 0 else 0
            say(f"{seeds.ran} of {count} seeds, {len(seeds.failed)} failed, {rate:.0f} a second, {left:.0f} s left")
    seconds = time.monotonic() - start
    for name, number in sorted(seeds.sums.items()):
        print(f"    {number:10}  {name}")
    say(f"{seeds.ran} seeds from {first} on in {seconds:.0f} s, {len(seeds.failed)} failed")
    if seeds.failed:
        for seed in sorted(seeds.failed)[:failures_max]:
            print(f"    ./dev sim --seed {seed}")
        raise Failed("seeds failed; each is shown in full by the commands above")


def show(seed: int, trace: bool, preset: str = PRESET) -> None:
    done = subprocess.run([program(preset), "--trace" if trace else "--show", str(seed)], cwd=ROOT, env=environment())
    if done.returncode != 0:
        raise Failed(f"seed {seed} failed (exit code {done.returncode})")


def sim(arguments) -> None:
    preset = arguments.preset
    if arguments.seed is not None:
        show(arguments.seed, arguments.trace, preset)
        return
    first, count = arguments.start, arguments.count
    if arguments.seeds:
        low, dash, high = arguments.seeds.partition("-")
        if not (low.isdigit() and (high.isdigit() or not dash)):
            raise Failed("--seeds takes a range such as 0-1999")
        first, count = int(low), int(high or low) - int(low) + 1
    if count <= 0:
        raise Failed("the range holds no seed")
    run_range(first, count, arguments.failures, preset)
