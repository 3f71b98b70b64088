"""Reads metrics as strictly as their formats are written: Prometheus' text format 0.0.4 and OpenMetrics 1.0.0.

Stricter than either where our own rules are: HELP and TYPE for every family, samples of a family together and of one type,
names by Prometheus' conventions, histograms whose buckets rise and end with +Inf."""

import math
import re

NAME = r"[a-z][a-z0-9_]*"
LINE = re.compile(rf"({NAME})(?:\{{([^}}]*(?:\"[^\"]*\"[^}}]*)*)\}})? (\S+)")
LABEL = re.compile(rf'({NAME})="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN")
UNITS = ("_seconds", "_bytes", "_total", "_info")
SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


class Malformed(AssertionError):
    pass


def require(condition, what):
    if not condition:
        raise Malformed(what)


class Family:
    def __init__(self, name, kind, help_text):
        self.name, self.kind, self.help = name, kind, help_text
        self.samples = []  # (sample name, labels, value)


def parse(text, open_metrics=False):
    """{family name: Family}; counters have their "_total" in both formats."""
    require(text.endswith("\n"), "the last line has no end")
    lines = text.split("\n")[:-1]
    if open_metrics:
        require(lines and lines.pop() == "# EOF", "OpenMetrics ends with # EOF")
    families, family, help_of = {}, None, None
    for line in lines:
        if line.startswith("# HELP "):
            _, _, name, text_of_help = line.split(" ", 3)
            require(re.fullmatch(NAME, name) and text_of_help.endswith("."), f"HELP: {line}")
            help_of = (name, text_of_help)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            require(help_of is not None and help_of[0] == name, f"TYPE without its HELP: {line}")
            require(kind in SUFFIXES, f"type {kind}")
            if kind == "counter":
                require(open_metrics != name.endswith("_total"), f"a counter's name: {line}")
                name = name.removesuffix("_total") + "_total"
            require(name not in families, f"{name} is there twice")
            family = families[name] = Family(name, kind, help_of[1])
            help_of = None
        else:
            require(family is not None and help_of is None, f"a sample without HELP and TYPE: {line}")
            family.samples.append(_sample(line, family))
    for family in families.values():
        _check(family)
    return families


def _sample(line, family):
    match = LINE.fullmatch(line)
    require(match, f"not a sample: {line!r}")
    name, label_text, value = match.groups()
    require(name in [family.name + suffix for suffix in SUFFIXES[family.kind]], f"not of {family.name}: {line}")
    require(NUMBER.fullmatch(value), f"not a number: {line}")
    labels, at = {}, 0
    while label_text is not None and at < len(label_text):
        label = LABEL.match(label_text, at)
        require(label and label[1] not in labels, f"labels: {line}")
        labels[label[1]] = label[2]
        at = label.end()
        require((label[3] == ",") == (at < len(label_text)), f"a comma at the end: {line}")
    require(label_text != "", f"empty labels: {line}")
    return name, labels, float(value)


def _check(family):
    name = family.name
    require(name.startswith("postern_"), f"{name}: whose is it?")
    require((family.kind == "counter") == name.endswith("_total"), f"{name}: counters, and they alone, end in _total")
    require(family.kind != "histogram" or name.endswith(UNITS), f"{name}: in which unit?")
    require(family.samples, f"{name}: nothing is measured")
    seen = [(sample, tuple(sorted(labels.items()))) for sample, labels, _ in family.samples]
    require(len(seen) == len(set(seen)), f"{name}: the same labels twice")
    if family.kind == "counter":
        require(all(value >= 0 for _, _, value in family.samples), f"{name}: below zero")
    if family.kind == "histogram":
        for group in _by_labels(family).values():
            _check_histogram(name, group)


def _by_labels(family):
    groups = {}
    for sample, labels, value in family.samples:
        rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        groups.setdefault(rest, []).append((sample, labels, value))
    return groups


def _check_histogram(name, samples):
    buckets = [(float(labels["le"]), value) for sample, labels, value in samples if sample == name + "_bucket"]
    require(buckets == sorted(buckets) and len({le for le, _ in buckets}) == len(buckets), f"{name}: buckets in order")
    require([v for _, v in buckets] == sorted(v for _, v in buckets), f"{name}: buckets that do not rise")
    require(buckets and buckets[-1][0] == math.inf, f"{name}: the last bucket is +Inf")
    counts = [value for sample, _, value in samples if sample == name + "_count"]
    sums = [value for sample, _, value in samples if sample == name + "_sum"]
    require(counts == [buckets[-1][1]] and len(sums) == 1, f"{name}: count and sum")


def value(families, name, **labels):
    """The sum of the samples of a counter or gauge that have these labels."""
    require(name in families, f"{name} is not there")
    return sum(v for _, have, v in families[name].samples if labels.items() <= have.items())


def names(families):
    """Every name that a query may use."""
    return {f.name + suffix for f in families.values() for suffix in SUFFIXES[f.kind]}
