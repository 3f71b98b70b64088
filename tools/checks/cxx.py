"""As much C++ as the checks need: code without comments and literals, and where its functions are."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<comment>//(?:\\\n|[^\n])*|/\*.*?(?:\*/|\Z))
      | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\\\s"]{0,16})\(.*?\)(?P=mark)")
      | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
      | (?P<number>\.?\d(?:'?[\w.])*)
      | (?P<char>(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
      | (?P<word>[A-Za-z_]\w*)
      | (?P<other>.)""", re.VERBOSE | re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


def blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def code_only(text: str, keep_strings: bool = False) -> str:
    """The text with comments and literals blanked, every other character in its place."""
    out = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "mark" else "raw"
        drop = kind == "comment" or (kind in ("raw", "string", "char") and not keep_strings)
        out.append(blank(match.group()) if drop else match.group())
    return "".join(out)


def comments_only(text: str) -> str:
    return "".join(match.group() if match.lastgroup == "comment" else blank(match.group())
                   for match in TOKEN.finditer(text))


@dataclass(frozen=True)
class Function:
    name: str
    line: int   # of the signature's first token
    lines: int  # from there to the closing brace


def functions(text: str) -> list[Function]:
    """Outermost function bodies: free and member functions, tests, and lambdas that no function encloses. What stands
    inside a function (lambdas, local types) counts to it."""
    code = DIRECTIVE.sub(lambda match: blank(match.group()), code_only(text))
    found: list[Function] = []
    _scope(code, 0, found)
    return sorted(found, key=lambda function: function.line)


def _matching(code: str, start: int) -> int:
    """Index of the brace that closes the one at `start` (the end of the text when there is none)."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(code, start):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.start()
    return len(code)


def _scope(code: str, start: int, found: list[Function]) -> int:
    """Walks declarations from `start` to the brace that closes this scope; returns the index behind it."""
    head, parens, at = start, 0, start
    while at < len(code):
        char = code[at]
        if char in "()":
            parens += 1 if char == "(" else -1
        elif char == ";" and parens <= 0:
            head, parens = at + 1, 0
        elif char == "}":
            return at + 1
        elif char == "{":
            kind = _kind(code[head:at], parens)
            if kind == "scope":
                at = head = _scope(code, at + 1, found)
                continue
            end = _matching(code, at)
            if kind == "function":
                found.append(_function(code, head, at, end))
                if parens == 0 and not _is_initialiser(code[head:at]):
                    head = end + 1
            at = end
        elif char == ":" and code[head:at].strip() in ("public", "private", "protected"):
            head = at + 1
        at += 1
    return at


def _without_template(head: str) -> str:
    """Drops `template <...>` in front, and attributes."""
    head = re.sub(r"\[\[.*?\]\]|\balignas\s*\([^)]*\)", " ", head, flags=re.DOTALL).strip()
    while match := re.match(r"template\s*<", head):
        depth, at = 1, match.end()
        while at < len(head) and depth:
            depth += {"<": 1, ">": -1}.get(head[at], 0)
            at += 1
        head = head[at:].strip()
        head = re.sub(r"^requires\s+(?:\([^)]*\)|[\w:]+(?:<[^>]*>)?)(?:\s*(?:&&|\|\|)\s*[\w:]+(?:<[^>]*>)?)*", "", head).strip()
    return head


def _flat(head: str) -> str:
    """The head without what stands in parentheses, brackets' content or braces."""
    out, depth = [], 0
    for char in head:
        if char in "({":
            depth += 1
            out.append(char if depth == 1 else "")
        elif char in ")}":
            out.append(char if depth == 1 else "")
            depth -= 1
        elif depth == 0:
            out.append(char)
    return "".join(out)


LAMBDA = re.compile(r"\[[^\[\]]*\]\s*(?:<[^{}]*>\s*)?(?:\([^;]*\))?\s*(?:(?:mutable|noexcept|constexpr|static)\s*)*"
                    r"(?:->[^;{}]*)?$", re.DOTALL)


def _is_initialiser(head: str) -> bool:
    flat = re.sub(r"\boperator\s*[^\w\s(]+", "operator", _flat(_without_template(head)))
    return re.search(r"(?<![=!<>])=(?!=)", flat) is not None


def _kind(head: str, parens: int) -> str:
    """What the brace behind `head` opens: scope (namespace, type), function, or other (initialiser)."""
    head = _without_template(head)
    if parens > 0 or _is_initialiser(head):
        return "function" if LAMBDA.search(head) else "other"
    flat = _flat(head).strip()
    if re.match(r"(?:inline\s+)?namespace\b|extern\s*$", flat):
        return "scope"
    if re.match(r"(?:typedef\s+)?(?:class|struct|union|enum)\b", flat) and "(" not in flat:
        return "scope"
    if "(" not in flat and "operator" not in flat:
        return "other"
    # A constructor's initialisers: `Name(...) : a_(a), b_{b} {`; a brace right behind a name is a member's.
    in_initialisers = re.search(r"\)\s*(?:noexcept\s*)?:(?!:)", flat)
    if in_initialisers and re.search(r"[\w>]\s*$", flat) and not re.search(r"\btry\s*$", flat):
        return "other"
    return "function"


def _function(code: str, head: int, brace: int, end: int) -> Function:
    lead = len(code[head:brace]) - len(code[head:brace].lstrip())
    first = code.count("\n", 0, head + lead) + 1
    last = code.count("\n", 0, end) + 1
    text = _without_template(code[head:brace])
    names = re.findall(r"([~\w:]+|operator\s*[^\w\s(]+)\s*\(", text)
    return Function(names[0] if names else "lambda", first, last - first + 1)
