"""The scanner on code that would mislead a simple one."""

import unittest

from cxx import code_only, comments_only, functions

BODY = "\n".join(["  step();"] * 8)


def names(text: str) -> list[str]:
    return [function.name for function in functions(text)]


class CodeOnly(unittest.TestCase):
    def test_blanks_comments_and_literals_in_place(self):
        text = 'int a = 1\'000; // sleep(1)\nauto s = "fsync("; /* { */ char c = \'{\';\n'
        code = code_only(text)
        self.assertEqual(len(code), len(text))
        for gone in ("sleep", "fsync", "{"):
            self.assertNotIn(gone, code)
        self.assertIn("1'000", code)

    def test_raw_strings_end_at_their_own_mark(self):
        code = code_only('auto s = R"zone(a " ) } b)zone"; int after;')
        self.assertNotIn("}", code)
        self.assertIn("int after;", code)

    def test_comment_marks_inside_strings_are_text(self):
        self.assertIn("int after;", code_only('auto s = "smtp://x"; int after;'))
        self.assertIn("why", comments_only('auto s = "// not"; // why'))
        self.assertNotIn("not", comments_only('auto s = "// not"; // why'))


class Functions(unittest.TestCase):
    def test_counts_from_signature_to_brace(self):
        (only,) = functions(f"#include <a>\n\nint\nf(int a,\n  int b) {{\n{BODY}\n}}\n")
        self.assertEqual((only.name, only.line, only.lines), ("f", 3, 12))

    def test_members_namespaces_and_templates(self):
        text = ("namespace a::b {\nclass C final : public D<int> {\n public:\n  explicit C(int x) : x_(x), y_{x} {}\n"
                "  bool operator==(const C&) const { return true; }\n private:\n  int x_{3};\n};\n"
                "template <typename T = int>\nT g() { return {}; }\nstruct S { int a = 1; };\nenum class E { one, two };\n"
                "}  // namespace\n")
        self.assertEqual(names(text), ["C", "operator==", "g"])

    def test_initialisers_are_no_functions(self):
        self.assertEqual(names("const std::map<int, int> table = {{1, 2}, {3, 4}};\nconstexpr int x{3};\nint y = f({1, 2});\n"),
                         [])

    def test_constructor_with_braced_members_and_body(self):
        (only,) = functions(f"Foo::Foo(int a)\n    : Base{{a}},\n      b_{{a}} {{\n{BODY}\n}}\n")
        self.assertEqual((only.name, only.lines), ("Foo::Foo", 12))

    def test_lambda_inside_counts_to_its_function(self):
        (only,) = functions(f"void f() {{\n  auto g = [&](int a) {{\n{BODY}\n  }};\n}}\n")
        self.assertEqual((only.name, only.lines), ("f", 12))

    def test_lambda_outside_counts_by_itself(self):
        (only,) = functions(f"const auto g = [](int a) -> int {{\n{BODY}\n}};\n")
        self.assertEqual((only.name, only.lines), ("lambda", 10))

    def test_trailing_return_types_requires_and_qualifiers(self):
        text = ("auto f() -> Task<void> {\n}\nint C::g() const noexcept {\n}\n"
                "template <class T>\n  requires std::integral<T>\nT h(T a) {\n}\nC::C() try : a_(1) {\n} catch (...) {\n}\n")
        self.assertEqual(names(text)[:3], ["f", "C::g", "h"])

    def test_googletest(self):
        self.assertEqual(names("TEST(Suite, Name) {\n}\nTEST_F(Other, Name) {\n}\n"), ["TEST", "TEST_F"])

    def test_default_arguments_with_braces(self):
        self.assertEqual(names("void f(Options options = {}) {\n}\nvoid g() {\n}\n"), ["f", "g"])


if __name__ == "__main__":
    unittest.main()
