"""./dev bench delivery: what one dead destination costs the others."""

import contextlib
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import building
from benching import PRESET, Figure, measure, progress, report
from shell import BUILD, Failed, environment

ALIVE_MESSAGES, DEAD_MESSAGES = 20_000, 100_000
ROUNDS_MIN, ROUNDS_MAX = 5, 11
SECONDS_WANTED = 150
RATIO_LEAST = 0.9
KINDS = {"refused": "whose next hop refuses connections", "silent": "whose next hop never says anything"}


@dataclass
class Kind:
    """Runs beside one kind of dead destination, each compared with those alone just before and after it."""
    rates: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    cpu_ratios: list[float] = field(default_factory=list)

    def decided(self) -> bool:
        """More rounds would hardly change the verdict: all but one are on the same side."""
        ordered = sorted(self.ratios)
        return len(ordered) >= ROUNDS_MIN and (ordered[1] >= RATIO_LEAST or ordered[-2] < RATIO_LEAST)


@contextlib.contextmanager
def next_hops(program: Path, folder: Path):
    """The next hops in a process of their own; gives their port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([str(program), "serve", str(folder / "next-hops"), str(port)], env=environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline().strip() != "ready":
            raise Failed("the next hops did not start")
        yield port
    finally:
        process.kill()
        process.wait()


def run(program: Path, folder: Path, port: int, kind: str) -> dict:
    alone = kind == "alone"
    done = measure(program, "measure", folder / ("alone" if alone else "beside"), port, "refused" if alone else kind,
                   ALIVE_MESSAGES)
    if done["others"] != (0 if alone else DEAD_MESSAGES):
        raise Failed(f"{done['others']} messages were left from the run before")
    # Each of the hundred thousand was in the way, and none was touched but those of the first attempts.
    if not alone and (done["deaths"] < 1 or done["postponed"] < DEAD_MESSAGES * 0.9 or done["deferred"] > 100):
        raise Failed(f"the dead destination was not found dead in time: {done}")
    return done


def measure_delivery(program: Path, folder: Path, port: int) -> list[Figure]:
    progress(f"queueing {DEAD_MESSAGES} messages for a dead destination")
    measure(program, "fill", folder / "beside", DEAD_MESSAGES)
    run(program, folder, port, "alone")  # the first writes to new files
    progress(f"delivering {ALIVE_MESSAGES} of another, alone and beside it in turn")
    kinds = {kind: Kind() for kind in KINDS}
    before = run(program, folder, port, "alone")
    alone = [before]
    started = time.monotonic()
    for number in range(ROUNDS_MAX):
        if number >= ROUNDS_MIN and (all(kind.decided() for kind in kinds.values())
                                     or time.monotonic() - started > SECONDS_WANTED):
            break
        for name, kind in kinds.items():
            beside = run(program, folder, port, name)
            after = run(program, folder, port, "alone")
            kind.rates.append(beside["per_second"])
            kind.ratios.append(2 * beside["per_second"] / (before["per_second"] + after["per_second"]))
            kind.cpu_ratios.append(2 * beside["cpu_us"] / (before["cpu_us"] + after["cpu_us"]))
            alone.append(after)
            before = after
    return figures(alone, kinds)


def figures(alone: list[dict], kinds: dict[str, Kind]) -> list[Figure]:
    rates = sorted(one["per_second"] for one in alone)
    found = [Figure(f"delivery alone, median of {len(rates)} runs", statistics.median(rates), "messages/s"),
             Figure("the same, lowest", rates[0], "messages/s"), Figure("the same, highest", rates[-1], "messages/s")]
    for name, kind in kinds.items():
        found += [
            Figure(f"beside {DEAD_MESSAGES} {KINDS[name]}", statistics.median(kind.rates), "messages/s"),
            Figure(f"ratio to alone, median of {len(kind.ratios)} pairs", statistics.median(kind.ratios), "",
                   least=RATIO_LEAST),
            Figure("CPU for each message, ratio", statistics.median(kind.cpu_ratios), ""),
        ]
    return found


def bench_delivery(directory: str | None, as_json: bool) -> None:
    building.build(PRESET, ["delivery_bench"])
    program = BUILD / PRESET / "delivery_bench"
    # Below build/, and not where a system may keep temporary files in memory.
    with tempfile.TemporaryDirectory(prefix="bench-delivery-", dir=directory or BUILD) as folder:
        with next_hops(program, Path(folder)) as port:
            done = measure_delivery(program, Path(folder), port)
    if not report(done, as_json):
        raise Failed("a bound was missed")
