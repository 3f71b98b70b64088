"""Runs test cases: a list, a filter, one line a case with its time, and a closing line with the counts."""

import argparse
import contextlib
import os
import pathlib
import sys
import time
import traceback

from harness import sandbox as sandboxes

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Skipped(Exception):
    """What Case.skip() ends a case with."""


class Case:
    """What a test function gets: its directory, the tools it asked for, and what to undo at the end."""

    def __init__(self, name, directory, sandbox, postern, options):
        self.name, self.directory, self.sandbox, self.postern_path = name, directory, sandbox, postern
        self.options = options
        self.cleanup = contextlib.ExitStack()
        self.notes = []
        self.afterwards = []  # what must hold besides, once the case has passed
        self.logs = []  # files whose ends are printed when the case fails

    def path(self, *parts):
        """A directory below the case's own, made when it is missing."""
        directory = self.directory.joinpath(*parts)
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        return directory

    def started(self, server):
        """Sees to it that the server is stopped when the case is over. Returns it."""
        self.cleanup.callback(server.stop)
        return server

    def note(self, text):
        """A figure worth printing beside the case."""
        self.notes.append(text)

    def skip(self, reason):
        """Ends the case, which cannot run here. It counts as skipped, which `./dev test` takes for a failure where it could."""
        raise Skipped(reason)


def check(condition, message):
    """An assertion that no optimisation removes; message may be a function."""
    if not condition:
        raise AssertionError(message() if callable(message) else message)


def equal(found, expected, what):
    check(found == expected, lambda: f"{what}: found {found!r}, expected {expected!r}")


class Suite:
    """The cases of a folder, in order of registration."""

    def __init__(self, name, description, programs=()):
        self.name, self.description, self.programs = name, description, programs
        self.cases = {}
        self.set_up = None  # run once in the sandbox before the first case: set_up(sandbox, stack, options)
        self.prepare = None  # run before the sandbox is entered, with the machine's network: prepare(names)

    def case(self, name, title):
        def register(function):
            self.cases[name] = (title, function)
            return function
        return register

    def main(self):
        options = self._arguments()
        if options.list:
            for name, (title, _) in self.cases.items():
                print(f"{name:22} {title}")
            return 0
        names = self._chosen(options.cases)
        postern = pathlib.Path(options.postern).absolute()
        sandboxes.need(f"tests/{self.name}/run", "ip", "mount", *self.programs)
        if not os.access(postern, os.X_OK):
            sys.exit(f"tests/{self.name}/run: {postern} cannot be run; build it with './dev build' or name another "
                     "with --postern PATH")
        if self.prepare:
            self.prepare(names)
        # Freed memory that the sanitizer holds back would look like growth.
        os.environ["ASAN_OPTIONS"] = ":".join(filter(None, [
            os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=2:thread_local_quarantine_size_kb=64"]))
        sandbox = sandboxes.enter(self.name, keep=options.keep)
        postern = sandbox.with_program(postern)
        return self._run(names, sandbox, postern, options)

    def _arguments(self):
        parser = argparse.ArgumentParser(prog=f"tests/{self.name}/run", description=self.description)
        parser.add_argument("cases", nargs="*", help="names of cases, or what they begin with; all when none is given")
        parser.add_argument("--postern", default=str(ROOT / "build/dev/postern"), help="the program to test")
        parser.add_argument("--keep", action="store_true",
                            help="stop after the first case with everything still running; keep the files")
        parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run the cases N times")
        parser.add_argument("--list", action="store_true", help="show the cases")
        return parser.parse_intermixed_args()

    def _chosen(self, wanted):
        if not wanted:
            return list(self.cases)
        names = []
        for word in wanted:
            found = [word] if word in self.cases else [n for n in self.cases if n.startswith(word)]
            if not found:
                sys.exit(f"tests/{self.name}/run: no case is called {word}; see --list")
            names += found
        return list(dict.fromkeys(names))

    def _run(self, names, sandbox, postern, options):
        labels = {"ok": [], "FAIL": [], "skip": []}
        try:
            with contextlib.ExitStack() as shared:
                if self.set_up:
                    self.set_up(sandbox, shared, options)
                for turn in range(options.repeat):
                    for name in names:
                        label = name if options.repeat == 1 else f"{name}.{turn + 1}"
                        labels[self._result(name, label, sandbox, postern, options)].append(label)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            labels["FAIL"].append("interrupted")
        passed, failed, skipped = labels.values()
        print(f"{len(passed)} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else "")
              + (f": {', '.join(failed)}" if failed else ""), flush=True)
        return 1 if failed or not passed else 0

    def _result(self, *arguments):
        """ok, FAIL or skip."""
        try:
            return self._run_case(*arguments)
        except Exception as error:  # of what the case left to undo
            print(f"FAIL {arguments[1]}: cleaning up: {type(error).__name__}: {error}", flush=True)
            return "FAIL"

    def _run_case(self, name, label, sandbox, postern, options):
        title, function = self.cases[name]
        directory = sandbox.state / label
        directory.mkdir()
        directory.chmod(0o755)
        case = Case(name, directory, sandbox, postern, options)
        begun, problem, result = time.monotonic(), None, "ok"
        with case.cleanup:
            try:
                function(case)
                for holds in case.afterwards:
                    holds()
            except KeyboardInterrupt:
                raise
            except Skipped as reason:
                case.note(f"skipped: {reason}")
                result = "skip"
            except Exception as error:  # a failed case must not end the run
                problem, result = error, "FAIL"
            taken = time.monotonic() - begun
            print(f"{result:4} {label:22} {title}  {taken:.1f} s", flush=True)
            for note in case.notes:
                print(f"       {note}", flush=True)
            if problem:
                _explain(problem, case)
            if options.keep:
                _wait_for_person(sandbox, directory)
        return result


def _explain(problem, case):
    frames = traceback.extract_tb(problem.__traceback__)
    for frame in frames[1:]:
        print(f"       {frame.filename.removeprefix(str(ROOT) + '/')}:{frame.lineno} {frame.line}")
    print(f"     > {type(problem).__name__}: {problem}")
    for log in case.logs:
        if pathlib.Path(log).exists():
            print(f"     --- end of {log}")
            for line in pathlib.Path(log).read_text(errors="replace").splitlines()[-25:]:
                print(f"     | {line[:400]}")
    sys.stdout.flush()


def _wait_for_person(sandbox, directory):
    print(f"       everything still runs; files: {directory}")
    print(f"       look with: {sandbox.nsenter()} bash")
    print("       press Enter (or interrupt) to stop and go on", flush=True)
    sys.stdin.readline()
