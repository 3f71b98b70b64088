"""How ./dev counts: what it must never take for a pass."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dev"))

import setup  # noqa: E402
import testing  # noqa: E402


class Counting(unittest.TestCase):
    def runner(self, script: str) -> testing.Count:
        with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as file:
            file.write("#!/bin/sh\n" + script)
        self.addCleanup(Path(file.name).unlink)
        Path(file.name).chmod(0o755)
        return testing.runner(file.name, "postern")

    def test_takes_the_last_summary_line(self):
        self.assertEqual(str(self.runner("echo 1 passed, 0 failed; echo 7 passed, 0 failed\n")), "7 passed, 0 failed")
        self.assertEqual(str(self.runner("echo '7 passed, 1 failed: relay'; exit 1\n")), "7 passed, 1 failed")
        self.assertEqual(str(self.runner("echo 7 passed, 0 failed, 2 skipped\n")), "7 passed, 0 failed, 2 skipped")

    def test_silence_and_exit_codes_are_failures(self):
        self.assertEqual(self.runner("exit 0\n").failed, 1)
        self.assertEqual(self.runner("echo 0 passed, 0 failed\n").failed, 1)
        self.assertEqual(self.runner("echo 7 passed, 0 failed; exit 3\n").failed, 1)

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


class Packages(unittest.TestCase):
    def test_list_is_well_formed(self):
        self.assertGreater(len(setup.wanted()), 20)
        for package, (group, reason) in setup.wanted().items():
            self.assertIn(group, ("build", "test"), package)
            self.assertTrue(reason)


if __name__ == "__main__":
    unittest.main()
