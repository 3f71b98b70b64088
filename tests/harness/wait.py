"""Waiting: a condition is polled until it holds or its deadline passes. Tests never sleep for a fixed time."""

import time


class TimedOut(AssertionError):
    """The condition did not hold in time; the message says what was waited for."""


def until(condition, what, seconds=30.0, interval=0.05):
    """Polls condition() until it is true; returns its value. `what` completes "waited N s for ..."."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            detail = what() if callable(what) else what
            raise TimedOut(f"waited {seconds:g} s for {detail}")
        time.sleep(interval)
