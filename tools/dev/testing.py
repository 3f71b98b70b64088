"""./dev test: every test there is, counted together."""

import io
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import building
from shell import BUILD, ROOT, Failed, environment, run, say

PRESET = "dev"
RUNNERS = ("tests/e2e/run", "tests/interop/run")
SUMMARY = re.compile(r"^(?:[\w-]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?(?:: .*)?$")


class Count:
    def __init__(self, passed: int = 0, failed: int = 0, skipped: int = 0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other: "Count") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def count_junit(path: Path) -> tuple[Count, list[str]]:
    """What ctest's own report says, and the names of what did not pass."""
    count, names = Count(), []
    for case in xml.parse(path).getroot().iter("testcase"):
        status = case.get("status")
        if status == "run":
            count.passed += 1
        elif status == "fail":
            count.failed += 1
            names.append(f"failed: {case.get('name')}")
        else:
            count.skipped += 1
            names.append(f"skipped: {case.get('name')}")
    return count, names


def pattern(word: str) -> str:
    """A room's name stands for its own tests alone."""
    return rf"^{word}_test\." if (ROOT / "src" / word).is_dir() else word


def ctest(filters: list[str], left_out: str | None = None, preset: str = PRESET, jobs: int = 2) -> Count:
    folder = BUILD / preset
    report = folder / "ctest.xml"
    report.unlink(missing_ok=True)
    command = ["ctest", "--test-dir", folder, "-j", jobs, "--timeout", 300, "--output-junit", report,
               "--no-tests=error", *(["--progress"] if sys.stdout.isatty() else [])]
    if filters:
        command += ["-R", "|".join(pattern(word) for word in filters)]
    if left_out:
        command += ["-E", left_out]
    done = subprocess.run([str(word) for word in command], cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL)
    if not report.exists():
        raise Failed(f"ctest ran nothing (exit code {done.returncode})")
    count, names = count_junit(report)
    for name in names:
        say(name)
    if done.returncode != 0 and count.failed == 0:
        count.failed += 1
        say(f"failed: ctest itself, exit code {done.returncode}")
    return count


def runner(path: str, program: str, out: TextIO | None = None) -> Count:
    """A runner of its own (tests/e2e, tests/interop): shows its output, takes its last summary line."""
    out = out or sys.stdout
    say(f"{path} --postern {program}", out)
    last = None
    with subprocess.Popen([str(ROOT / path), "--postern", program], cwd=ROOT, env=environment(), text=True,
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            match = SUMMARY.match(line.strip())
            if match:
                last = Count(*(int(group or 0) for group in match.groups()))
                line = f"{path}: {line.strip()}\n"
            out.write(line)
            out.flush()
    if last is None:
        say(f"failed: {path} printed no line 'N passed, N failed' (exit code {process.returncode})", out)
        return Count(failed=1)
    if process.returncode != 0 and last.failed == 0:
        say(f"failed: {path} ended with exit code {process.returncode}", out)
        last.failed += 1
    if last.passed + last.failed == 0:
        say(f"failed: {path} ran no test", out)
        last.failed += 1
    return last


def side_by_side(paths: list[str], program: str) -> Count:
    """Runners at the same time: each has a network of its own, and waits for most of its time. The first shows its output as it
    comes, each other one after it, all at once."""
    first, *rest = paths
    with ThreadPoolExecutor() as pool:
        pages = [io.StringIO() for _ in rest]
        others = [pool.submit(runner, path, program, page) for path, page in zip(rest, pages)]
        total = runner(first, program)
        for other, page in zip(others, pages):
            total.add(other.result())
            print(page.getvalue(), end="", flush=True)
    return total


def has_corpora() -> bool:
    """Whether the logs and messages of others are there, or named, and so have to be."""
    return "POSTERN_CORPORA" in os.environ or (ROOT.parent / "shared/corpora").is_dir()


def judge(total: Count) -> None:
    """A skipped test is a failure, unless it is the corpora that are missing: a checkout alone passes."""
    if total.failed or total.passed == 0:
        raise Failed("tests failed" if total.failed else "no test ran")
    if total.skipped and has_corpora():
        raise Failed("tests were skipped")
    if total.skipped:
        say(f"{total.skipped} skipped: there are no corpora beside this checkout")


def test(filters: list[str], left_out: str | None = None) -> None:
    """Without filters: everything. With: a room's name builds and runs its tests alone; other words are patterns for
    ctest; `e2e`, `interop` name the runners. `left_out`: a pattern of ctest names."""
    runners = [path for path in RUNNERS if (ROOT / path).exists()]
    names = {Path(path).parent.name: path for path in runners}
    chosen = [names[word] for word in filters if word in names] if filters else runners
    patterns = [word for word in filters if word not in names]
    total = Count()
    if patterns or not filters:
        building.build(PRESET, test_targets(patterns))
        total.add(ctest(patterns, left_out))
    elif chosen:
        building.build(PRESET, ["postern"])
    if chosen:
        total.add(side_by_side(chosen, str(BUILD / PRESET / "postern")))
    if not filters:
        for path in RUNNERS:
            if path not in runners:
                say(f"note: there is no {path} in this checkout")
    say("test cases of ctest and the runners together:")
    print(total, flush=True)
    judge(total)


def test_targets(patterns: list[str]) -> list[str] | None:
    """A change in one room should not have to wait for all the others."""
    if not patterns:
        return None
    known = building.targets_of(PRESET)
    targets = [f"{word}_test" for word in patterns]
    if all(target in known for target in targets):
        return targets
    if all(word.startswith("check") for word in patterns):
        return ["build.ninja"]
    return None


def build_and_run_room_tests(preset: str, rooms: list[str]) -> None:
    """For CI: the rooms with threads under ThreadSanitizer."""
    known = building.targets_of(preset)
    targets = [f"{room}_test" for room in rooms if f"{room}_test" in known]
    if not targets:
        raise Failed(f"no tests in {', '.join(rooms)}")
    building.build(preset, targets)
    for target in targets:
        run([BUILD / preset / target, "--gtest_brief=1"], timeout_seconds=600)
