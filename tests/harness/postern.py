"""Postern under test: writes its configuration, runs it, asks its queue."""

import json
import re
import socket
import subprocess

from harness.process import Process
from harness.wait import until


def toml(settings):
    """TOML text of nested dictionaries: tables first keys, then sub-tables; lists of dictionaries are [[tables]]."""
    lines = []
    _table(settings, "", lines)
    return "\n".join(lines) + "\n"


def _table(settings, prefix, lines):
    nested = []
    for key, value in settings.items():
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            nested.append((key, value))
        else:
            lines.append(f"{key} = {json.dumps(value)}")  # JSON scalars and arrays are TOML
    for key, value in nested:
        for item in value if isinstance(value, list) else [value]:
            lines.append(f"[[{prefix}{key}]]" if isinstance(value, list) else f"[{prefix}{key}]")
            _table(item, f"{prefix}{key}.", lines)


def merged(base, changes):
    result = dict(base)
    for key, value in changes.items():
        inner = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if inner else value
    return result


class Postern:
    """One instance with its own spool and log. `settings` are laid over DEFAULTS."""

    def __init__(self, program, directory, address, port, settings, prefix=()):
        self.program, self.directory = program, directory
        self.address, self.port, self.prefix = address, port, list(prefix)
        self.config, self.log = directory / "postern.toml", directory / "postern.log"
        self.spool = directory / "spool"
        self.spool.mkdir(exist_ok=True)
        self.settings = merged({
            "server": {"listen": [f"{address}:{port}"], "spool": str(self.spool)},
            "log": {"target": str(self.log), "format": "text", "postfix_rejects": True},
        }, settings)
        self.process = None
        self.write_config()

    def write_config(self, changes=None):
        if changes:
            self.settings = merged(self.settings, changes)
        self.config.write_text(toml(self.settings))

    def start(self, seconds=30):
        """Returns when it serves: the port is open earlier, while the queue is still being read."""
        self.spawn().wait_listening(self.address, self.port, seconds)
        until(self._answers, lambda: f"the control socket to answer: {self.log_text()[-1500:]}", seconds)
        return self

    def _answers(self):
        if not self.process.running():
            raise AssertionError(f"postern ended with status {self.process.child.returncode}: {self.log_text()[-1500:]}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(f"{self.settings['server']['spool']}/control.sock") == 0

    def spawn(self):
        """Starts it without waiting for the port."""
        command = self.prefix + [self.program, "run", "--config", self.config]
        self.process = Process("postern", command, self.directory).start()
        return self.process

    def stop(self, seconds=20):
        if self.process:
            self.process.stop(seconds)

    def kill(self):
        self.process.kill()

    @property
    def pid(self):
        return self.process.pid

    def command(self, *words, config=True):
        """postern WORDS --config FILE; returns (exit status, standard output, standard error)."""
        line = [str(self.program), *words] + (["--config", str(self.config)] if config else [])
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def queue(self):
        """The queue as `postern queue list --json` shows it: a list of messages."""
        status, output, errors = self.command("queue", "list", "--json")
        if status != 0:
            raise AssertionError(f"queue list: exit status {status}: {output} {errors}")
        return json.loads(output)["messages"]

    def wait_queue(self, count, seconds=30):
        return until(lambda: (messages := self.queue()) is not None and len(messages) == count and (messages or True),
                     lambda: f"{count} messages in Postern's queue; it holds {self.queue()}", seconds)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_count(self, pattern):
        return len(re.findall(pattern, self.log_text()))
