"""How ./dev counts: what it must never take for a pass."""

import argparse
import contextlib
import io
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools/dev"), str(ROOT / "tests")]

import setup  # noqa: E402
import testing  # noqa: E402
from harness import runner  # noqa: E402


class Counting(unittest.TestCase):
    def program(self, script: str) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as file:
            file.write("#!/bin/sh\n" + script)
        self.addCleanup(Path(file.name).unlink)
        Path(file.name).chmod(0o755)
        return file.name

    def runner(self, script: str) -> testing.Count:
        return testing.runner(self.program(script), "postern", io.StringIO())

    def test_takes_the_last_summary_line(self):
        self.assertEqual(str(self.runner("echo 1 passed, 0 failed; echo 7 passed, 0 failed\n")), "7 passed, 0 failed")
        self.assertEqual(str(self.runner("echo '7 passed, 1 failed: relay'; exit 1\n")), "7 passed, 1 failed")
        self.assertEqual(str(self.runner("echo 7 passed, 0 failed, 2 skipped\n")), "7 passed, 0 failed, 2 skipped")

    def test_silence_and_exit_codes_are_failures(self):
        self.assertEqual(self.runner("exit 0\n").failed, 1)
        self.assertEqual(self.runner("echo 0 passed, 0 failed\n").failed, 1)
        self.assertEqual(self.runner("echo 7 passed, 0 failed; exit 3\n").failed, 1)

    def test_runners_side_by_side(self):
        with tempfile.TemporaryDirectory() as folder:
            met = f"{folder}/met"
            script = "{0}\nfor i in $(seq 100); do [ -e {1} ] && break; sleep 0.1; done\n[ -e {1} ] && echo {2}; echo {3}\n"
            first = self.program(script.format("", met, "first", "3 passed, 0 failed, 1 skipped"))
            second = self.program(script.format(f"touch {met}", met, "second", "2 passed, 1 failed: x"))
            with contextlib.redirect_stdout(io.StringIO()) as output:
                total = testing.side_by_side([first, second], "postern")
        self.assertEqual(str(total), "5 passed, 1 failed, 1 skipped")
        lines = output.getvalue().splitlines()
        self.assertLess(lines.index("first"), lines.index(f"{first}: 3 passed, 0 failed, 1 skipped"))
        self.assertLess(lines.index(f"{first}: 3 passed, 0 failed, 1 skipped"), lines.index("second"))

    def test_skips_are_failures_where_the_corpora_are(self):
        skipped = testing.Count(passed=7, skipped=2)
        with mock.patch.object(testing, "has_corpora", lambda: True), self.assertRaises(testing.Failed):
            testing.judge(skipped)
        with mock.patch.object(testing, "has_corpora", lambda: False), contextlib.redirect_stdout(io.StringIO()):
            testing.judge(skipped)
            for bad in (testing.Count(passed=7, failed=1, skipped=2), testing.Count(skipped=2)):
                with self.assertRaises(testing.Failed):
                    testing.judge(bad)

    def test_ctest_report(self):
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "ctest.xml"
            report.write_text('<testsuite><testcase name="a" status="run"/><testcase name="b" status="fail"/>'
                              '<testcase name="c" status="notrun"/><testcase name="d" status="disabled"/></testsuite>')
            count, names = testing.count_junit(report)
        self.assertEqual(str(count), "1 passed, 1 failed, 2 skipped")
        self.assertEqual(names, ["failed: b", "skipped: c", "skipped: d"])

    def test_room_names_are_anchored(self):
        self.assertEqual(testing.pattern("base"), r"^base_test\.")
        self.assertEqual(testing.pattern("Kill.*"), "Kill.*")


class Cases(unittest.TestCase):
    """What tests/harness/runner.py counts."""

    def test_passed_failed_skipped(self):
        suite = runner.Suite("x", "")
        suite.case("good", "")(lambda case: case.note("a figure"))
        suite.case("bad", "")(lambda case: runner.check(False, "what is wrong"))
        suite.case("absent", "")(lambda case: case.skip("the reason"))
        options = argparse.Namespace(repeat=1, keep=False)
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as output:
            code = suite._run(list(suite.cases), types.SimpleNamespace(state=Path(folder)), None, options)
        self.assertEqual(code, 1)
        self.assertIn("skipped: the reason", output.getvalue())
        summary = output.getvalue().splitlines()[-1]
        self.assertEqual(summary, "1 passed, 1 failed, 1 skipped: bad")
        self.assertEqual(testing.SUMMARY.match(summary).groups(), ("1", "1", "1"))


class Packages(unittest.TestCase):
    def test_list_is_well_formed(self):
        self.assertGreater(len(setup.wanted()), 20)
        for package, (group, reason) in setup.wanted().items():
            self.assertIn(group, ("build", "test"), package)
            self.assertTrue(reason)


if __name__ == "__main__":
    unittest.main()
