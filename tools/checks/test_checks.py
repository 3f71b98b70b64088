"""Each check on a small project that breaks its rule, and on one that keeps it: a check that cannot fail proves nothing."""

import shutil
import tempfile
import unittest
from pathlib import Path

import conformance
import documents
import floors
import format as layout
import machine
import rfc
import sizes
import tidy
import words
from tree import Tree

OWN = Path(__file__).resolve().parents[2]
INDEX = "\t".join(rfc.COLUMNS) + ("\n5321\tSMTP\tpartly\t\tthe protocol\n7505\tNull MX\tlater\t\tno mail\n"
                                  "8601\tA-R\tinformative\t\tresults\n")


class Case(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="postern-check-"))
        self.addCleanup(shutil.rmtree, self.root)

    def tree(self, files: dict[str, str]) -> Tree:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        return Tree(self.root)

    def own(self, path: str) -> str:
        return (OWN / path).read_text()

    def assert_says(self, found, *parts: str):
        texts = [str(finding) for finding in found]
        self.assertTrue(any(all(part in text for part in parts) for text in texts), f"{parts} not in {texts}")


class Floors(Case):
    CMAKE = "postern_room(base PURE LIBS x)\npostern_room(session DEPS base)\npostern_room(delivery DEPS base)\n"

    def check(self, files: dict[str, str], cmake: str = CMAKE):
        return floors.check(self.tree({floors.TABLE: self.own(floors.TABLE), "CMakeLists.txt": cmake, **files}))

    def test_good(self):
        self.assertEqual(self.check({"src/session/a.cc": '#include "base/b.h"\n#include "session/a.h"\n#include <vector>\n'
                                                         '// #include "delivery/x.h"\n'}), [])

    def test_upward(self):
        self.assert_says(self.check({"src/base/a.cc": '\n#include "session/a.h"\n'}), "src/base/a.cc:2", "floor 5")

    def test_halves_stay_apart(self):
        self.assert_says(self.check({"src/delivery/a.cc": '#include "session/a.h"\n'}), "meet only at the queue")

    def test_only_tests_include_what_tests_share(self):
        self.assertEqual(self.check({"src/base/a_test.cc": '#include "support/b.h"\n'}), [])
        self.assert_says(self.check({"src/base/a.cc": '#include "support/b.h"\n'}), "src/base/a.cc:1", "support/b.h")

    def test_unknown_room_and_relative_include(self):
        self.assert_says(self.check({"src/attic/a.cc": ""}), "not in a room")
        self.assert_says(self.check({"src/base/a.cc": '#include "b.h"\n'}), "room/file.h")

    def test_cmake(self):
        self.assert_says(self.check({}, "postern_room(base DEPS session LIBS x)\n"), "base (floor 0) may not depend")
        self.assert_says(self.check({"src/mail/a.cc": ""}), "no postern_room(mail")

    def test_coroutine_in_a_pure_room(self):
        cmake = self.CMAKE + "postern_room(smtp)\n"
        self.assert_says(self.check({"src/smtp/a.cc": "void f() { co_return; }\n"}, cmake), "co_return in a room")


class Sizes(Case):
    def test_good(self):
        body = "  f();\n" * 68
        self.assertEqual(sizes.check(self.tree({"src/base/a.cc": f"void g() {{\n{body}}}\n"})), [])

    def test_function(self):
        body = "  f();\n" * 69
        self.assert_says(sizes.check(self.tree({"src/base/a.cc": f"void g() {{\n{body}}}\n"})), "function g has 71 lines")

    def test_files(self):
        lines = "int a;\n"
        found = sizes.check(self.tree({"src/base/a.cc": lines * 601, "src/base/a.h": lines * 301,
                                       "src/base/a_test.cc": lines * 1001, "src/base/b_test.cc": lines * 1000}))
        self.assertEqual([finding.path for finding in found], ["src/base/a.cc", "src/base/a.h", "src/base/a_test.cc"])

    def test_columns(self):
        self.assert_says(sizes.check(self.tree({"src/base/a.cc": "// " + "x" * 98 + "\n"})), "101 columns")


class Words(Case):
    def check(self, files: dict[str, str]):
        return words.check(self.tree({words.TABLE: self.own(words.TABLE), **files}))

    def test_each_rule_can_fail(self):
        for line, advice in {
            "boost::asio::steady_timer t;": "call_at", "tcp::socket s;": "io::Network",
            "auto t = std::chrono::steady_clock::now();": "io::Clock", "auto t = time(nullptr);": "io::Clock",
            "getaddrinfo(a, b, c, d);": "dns::Resolver", "std::random_device r;": "io::Entropy", "int x = rand();": "io::Entropy",
            "int f = ::open(p, 0);": "io::Disk", "std::ifstream in(p);": "io::Disk", "::fsync(f);": "io::File::sync",
            "fdatasync(f);": "io::File::sync", "sleep(1);": "sleep_for", "::usleep(1);": "sleep_for",
            "std::this_thread::sleep_for(x);": "sleep_for", "std::thread t;": "io::Worker", "std::mutex m;": "one owner",
            "co_spawn(a, b, detached);": "TaskGroup", "std::getenv(a);": "options struct",
            "posix_spawn(&p, f, a, b, c, d);": "io::Programs", "FILE* f = popen(c, \"r\");": "io::Programs",
        }.items():
            with self.subTest(line):
                found = self.check({"src/queue/a.cc": f"void f() {{\n  {line}\n}}\n"})
                self.assert_says(found, "src/queue/a.cc:2", advice)

    def test_scope_is_a_rule(self):
        text = "void f() { ::fsync(1); std::thread t; auto t = steady_clock::now(); }\n"
        self.assertEqual(self.check({"src/io/real/a.cc": text, "tests/e2e/a.cc": text}), [])
        self.assert_says(self.check({"src/io/real/a.cc": "", "src/io/sim/a.cc": text}), "src/io/sim/a.cc:1")

    def test_own_names_are_not_mistaken(self):
        self.assertEqual(self.check({"src/queue/a.cc": "// std::mutex would do\nvoid f() { clock.sleep_for(1s); co_await sleep(1s); poll(); "
                                                       'file.open("a"); say("sleep(1)"); }\n'}), [])

    def test_vocabulary(self):
        self.assert_says(self.check({"src/queue/lease_manager.h": ""}), "'manager' in a file's name")
        self.assert_says(self.check({"src/queue/a.h": "\nclass ReplyHelper {};\n"}), "src/queue/a.h:2", "'Helper'")
        self.assert_says(self.check({"src/queue/a.h": "using ReadHandler = int;\n"}), "'Handler'")
        self.assertEqual(self.check({"src/queue/a.h": "boost::asio::any_completion_handler<void()> h;\nclass Utilisation;\n"})
                         [:0], [])


class Rfc(Case):
    CODE = "// RFC 5321 section 4.1.1.1: duty\nint a;\n"

    def check(self, code: str = CODE, index: str = INDEX, write: bool = True):
        tree = self.tree({rfc.INDEX: index, "src/smtp/a.cc": code})
        if write:
            rfc.write(tree)
        return rfc.check(Tree(self.root))

    def test_good(self):
        self.assertEqual(self.check(), [])

    def test_unknown(self):
        self.assert_says(self.check(self.CODE + "// RFC 9999 section 1: x\n"), "src/smtp/a.cc:3", "RFC 9999 is not in")

    def test_obsolete(self):
        index = "\t".join(rfc.COLUMNS) + "\n821\tOld\tinformative\t5321\told\n5321\tSMTP\tpartly\t\tthe protocol\n"
        self.assert_says(self.check(self.CODE + "// RFC 821: x\n", index), "cite RFC 5321")

    def test_form(self):
        for form in ("RFC5321", "rfc 5321", "RFC-5321", "RFC 5321 §4"):
            with self.subTest(form):
                self.assert_says(self.check(self.CODE + f"// {form}\n"), "write it as")

    def test_status_follows_the_code(self):
        self.assert_says(self.check("int a;\n"), "no code cites it")
        self.assert_says(self.check(self.CODE + "// RFC 7505 section 3: x\n"), "said to come later")

    def test_index_form(self):
        self.assert_says(self.check(index=INDEX.replace("partly", "mostly")), "status 'mostly'")
        self.assert_says(self.check(index="a\tb\n"), "name the columns")
        self.assert_says(self.check(index=INDEX + "7505\tNull MX\tlater\t\ttwice\n"), "not in order")

    def test_page_is_current(self):
        self.assertEqual(self.check(), [])
        self.assert_says(self.check(self.CODE + "// RFC 5321 section 4.2: duty\n", write=False), "not current")

    def test_citation_over_two_comment_lines(self):
        tree = self.tree({rfc.INDEX: INDEX, "src/smtp/a.cc": "/// as RFC 5321\n/// section 4.5.1 wants.\n"})
        uses, _ = rfc.citations(tree, rfc.read_index(tree)[0])
        self.assertEqual(uses[5321].sections, {"4.5.1"})


class Documents(Case):
    GOOD = "# base\n" + "It is so.\n" * 10

    def test_good(self):
        self.assertEqual(documents.check(self.tree({"src/base/a.h": "", "src/base/README.md": self.GOOD,
                                                    "README.md": "[base](src/base/README.md#x) [w](https://x.y) `[a](b)`\n"})),
                         [])

    def test_missing_readme(self):
        self.assert_says(documents.check(self.tree({"src/base/a.h": ""})), "src/base/README.md", "missing")
        self.assert_says(documents.check(self.tree({"src/base/a.h": "", "src/base/README.md": "# base\n"})), "too short")

    def test_dead_link(self):
        self.assert_says(documents.check(self.tree({"docs/a.md": "\n[b](b.md)\n"})), "docs/a.md:2", "b.md leads nowhere")
        self.assert_says(documents.check(self.tree({"a.md": "[b](../outside.md)\n"})), "leads nowhere")


class Conformance(Case):
    CASE = ('[[case]]\nid = "a"\nsection = "S"\nwhat = "w|x"\nstate = "no_ptr"\ncause = "no PTR record"\nttl = 60\n'
            'peers = { postfix = "450", postfix_reverse = "450", exim = "550", opensmtpd = "550", haraka = "?" }\n')

    def tables(self, case: str, page: str) -> Tree:
        return self.tree({conformance.CASES: case, conformance.PAGE: page})

    def test_page_is_made_of_the_cases(self):
        tree = self.tables(self.CASE, "")
        self.assert_says(conformance.check(tree), "not current")
        conformance.write(tree)
        written = (self.root / conformance.PAGE).read_text()
        self.assertIn("| `a` | w\\|x | `no_ptr`: 450, no PTR record, kept 60 s | 450 | 450 | 550 | 550 | ? |", written)
        self.assertEqual(conformance.check(self.tables(self.CASE, written)), [])

    def test_others_are_told(self):
        self.assert_says(conformance.check(self.tables(self.CASE.replace(', haraka = "?"', ""), "")), "case a", "peers")

    def test_codes_in_place_of_the_greeting(self):
        self.assert_says(conformance.check(self.tables(self.CASE.replace('haraka = "?"', 'haraka = "550"'), "")),
                         "case a", "in place of the greeting")


class Machine(Case):
    def test_good(self):
        self.assertEqual(machine.check(self.tree({"a.md": "/var/lib/postern, ./work/x, network/work, $HOME/root\n"})), [])

    def test_paths_and_hosts(self):
        for text in ("see /" + "work/main", "cd /" + "root", "'/" + "home/me'", "http://deb.debian" + ".org/debian"):
            with self.subTest(text):
                self.assert_says(machine.check(self.tree({"docs/a.md": f"\n{text}\n"})), "docs/a.md:2")


class Layout(Case):
    def check(self, text: str):
        return layout.check(self.tree({".clang-format": self.own(".clang-format"), "src/base/a.cc": text}))

    def test_good_and_bad(self):
        self.assertEqual(self.check("int a = 1;\n"), [])
        self.assert_says(self.check("int   a=1;\n"), "src/base/a.cc:1", "clang-format-19 -i")


class Tidy(Case):
    def check(self, text: str):
        tree = self.tree({".clang-tidy": self.own(".clang-tidy"), "src/base/a.cc": text})
        (self.root / tidy.BUILD).mkdir(parents=True, exist_ok=True)
        command = f'[{{"directory": "{self.root}", "file": "src/base/a.cc", "command": "clang++-19 -std=c++23 -c src/base/a.cc"}}]'
        (self.root / tidy.BUILD / "compile_commands.json").write_text(command.replace('"src/', f'"{self.root}/src/'))
        return tidy.check_files(tree, ["src/base/a.cc"])

    def test_good_and_bad(self):
        self.assertEqual(self.check("int half(int a) { return a / 2; }\n"), [])
        self.assert_says(self.check("int same(int a) { return a > 0 ? a : a; }\n"), "src/base/a.cc:1", "bugprone")

    def test_without_a_build(self):
        self.assert_says(tidy.check_files(self.tree({"src/base/a.cc": ""}), ["src/base/a.cc"]), "build dev")


if __name__ == "__main__":
    unittest.main()
