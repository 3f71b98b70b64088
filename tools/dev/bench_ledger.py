"""./dev bench ledger: what recording refusals costs."""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import time
from pathlib import Path

import building
from benching import PRESET, Figure, measure, progress, run_in_folder
from shell import BUILD, Failed, environment

# Many batches of the ledger for each run: what it writes has to be paid for in the run.
SESSIONS, PAIRS, TRIES = 20_000, 15, 6
THROUGHPUT_LEAST = 0.95
EXPLAIN_RUNS, EXPLAIN_MS_MOST = 11, 50
SETTLE_SECONDS = 1.5  # the ledger writes at least once a second
STOLEN_MOST = 0.01
WRITTEN = 200_000
# What the zone says nothing about is asked of the system's own resolver.
ZONE = "".join(f"[127.2.{third}.{fourth}] NXDOMAIN\n" for third in range(4) for fourth in range(256))
CONFIGURATION = """
[server]
hostname = "gw.test"
listen = ["127.0.0.1:{port}"]
spool = "{folder}/spool"
[relay]
domains = ["example.test"]
[unknown_ip]
mode = "enforce"
check_private = true
[unknown_ip.breaker]
# Every client of the load is refused, which the breaker would take for an outage.
enabled = false
[dns]
zone_files = ["{folder}/zone"]
[log]
target = "{folder}/log"
[ledger]
enabled = {enabled}
"""


def stolen_seconds() -> float:
    """What a virtual machine's processors were wanted for and did not get."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(words[8]) / os.sysconf("SC_CLK_TCK")


class Server:
    """A server of its own, with the ledger or without."""

    def __init__(self, program: Path, folder: Path, enabled: bool, load: Path):
        folder.mkdir(exist_ok=True)
        self.load_program = load
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "zone").write_text(ZONE)
        self.config = folder / "postern.toml"
        self.config.write_text(CONFIGURATION.format(port=self.port, folder=folder, enabled=str(enabled).lower()))
        self.process = subprocess.Popen([str(program), "run", "--config", str(self.config)], env=environment(),
                                        stdin=subprocess.DEVNULL)

    def wait(self) -> None:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise Failed(f"the server of {self.config} did not start")

    def cpu_seconds(self) -> float:
        """Of all its threads, which end with it."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def load(self) -> tuple[float, float]:
        """CPU for one refused session, until what it recorded is written, and sessions a second. Once more while the machine
        was taken away from us meanwhile, TRIES times at the most."""
        for _ in range(TRIES):
            began, stolen = time.monotonic(), stolen_seconds()
            figures = self.load_once()
            if stolen_seconds() - stolen <= STOLEN_MOST * (time.monotonic() - began):
                break
        return figures

    def load_once(self) -> tuple[float, float]:
        before = self.cpu_seconds()
        done = measure(self.load_program, "load", self.port, SESSIONS)
        if done["refused"] != SESSIONS:
            raise Failed(f"{done['refused']} of {SESSIONS} sessions were refused")
        time.sleep(SETTLE_SECONDS)
        return (self.cpu_seconds() - before) / SESSIONS * 1e6, SESSIONS / done["seconds"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


class Comparison:
    """Of what pairs of runs took, the medians; ratios are to the runs without the ledger just before and after."""

    def __init__(self, without: list[tuple[float, float]], recording: list[tuple[float, float]]):
        def ratio(place: int) -> float:
            return statistics.median(run[place] / statistics.mean((before[place], after[place]))
                                     for before, run, after in zip(without, recording, without[1:]))

        self.cpu_us_without = statistics.median(cpu for cpu, _ in without)
        self.cpu_us = statistics.median(cpu for cpu, _ in recording)
        self.cpu_ratio, self.throughput_ratio = ratio(0), ratio(1)


def compare(program: Path, bench: Path, folder: Path) -> Comparison:
    with contextlib.ExitStack() as servers:
        without, recording = (Server(program, folder / name, name == "with", bench) for name in ("without", "with"))
        for server in (without, recording):
            servers.callback(server.stop)
            server.wait()
        for server in (without, recording):
            server.load()  # what the first clients cost is not what is compared
        alone, beside = [without.load()], []
        for _ in range(PAIRS):
            beside.append(recording.load())
            alone.append(without.load())
        return Comparison(alone, beside)


def explain_ms(program: Path, config: Path, case: str) -> float:
    times = []
    for _ in range(EXPLAIN_RUNS):
        began = time.monotonic()
        done = subprocess.run([str(program), "explain", case, "--config", str(config), "--json"], env=environment(),
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        times.append((time.monotonic() - began) * 1000)
        if done.returncode != 0 or case not in done.stdout:
            raise Failed(f"postern explain {case}: exit code {done.returncode}: {done.stderr.strip()}")
        json.loads(done.stdout)
    return statistics.median(times)


def write_anew(bench: Path, what: str, spool: Path, refusals: int) -> dict:
    for file in spool.glob("ledger.db*"):
        file.unlink()
    return measure(bench, what, spool / "ledger.db", refusals)


def measure_ledger(program: Path, bench: Path, folder: Path, refusals: int) -> list[Figure]:
    fresh = compare(program, bench, folder)
    spool = folder / "with" / "spool"
    written = write_anew(bench, "write", spool, WRITTEN)
    progress(f"filling a ledger with {refusals} refusals")
    filled = write_anew(bench, "fill", spool, refusals)
    full = compare(program, bench, folder)
    beside = measure(bench, "write", spool / "ledger.db", WRITTEN)
    return [
        Figure("writing a refusal of that load, alone", written["cpu_us"], "us"),
        Figure(f"the same, beside {refusals}", beside["cpu_us"], "us"),
        Figure("CPU for a refused session, nothing recorded", fresh.cpu_us_without, "us"),
        Figure("the same, recorded", fresh.cpu_us, "us"),
        Figure("ratio of these two", fresh.cpu_ratio, ""),
        Figure("sessions a second when recorded, to those when not", fresh.throughput_ratio, "", least=THROUGHPUT_LEAST),
        Figure("writing a refusal of a client that is new, in full batches", filled["cpu_us"], "us"),
        Figure(f"size of {refusals} refusals", filled["bytes"] / 1e6, "MB"),
        Figure(f"CPU for a session, recorded beside {refusals}", full.cpu_us, "us"),
        Figure("its ratio to nothing recorded", full.cpu_ratio, ""),
        Figure("sessions a second then, to those when not recorded", full.throughput_ratio, "", least=THROUGHPUT_LEAST),
        Figure("postern explain CASE there", explain_ms(program, folder / "with" / "postern.toml", filled["case"]), "ms",
               most=EXPLAIN_MS_MOST),
    ]


def bench_ledger(refusals: int, directory: str | None, as_json: bool) -> None:
    building.build(PRESET, ["postern", "ledger_bench"])
    run_in_folder("ledger", directory, as_json,
                  lambda folder: measure_ledger(BUILD / PRESET / "postern", BUILD / PRESET / "ledger_bench", folder, refusals))
