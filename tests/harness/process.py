"""Child processes of a test: started in their own session, output to a file, always stopped."""

import os
import pathlib
import signal
import socket
import subprocess

from harness.wait import TimedOut, until


def can_connect(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


class Process:
    """One foreground server."""

    def __init__(self, name, command, directory):
        self.name, self.command = name, [str(part) for part in command]
        self.output = pathlib.Path(directory) / f"{name}.out"
        self.child = None

    def start(self):
        with open(self.output, "ab") as output:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=subprocess.STDOUT, start_new_session=True)
        return self

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.poll() is None

    def tail(self, lines=15):
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-lines:])

    def wait_listening(self, address, port, seconds=20):
        def listening():
            if not self.running():
                raise AssertionError(f"{self.name} ended with status {self.child.returncode}: {self.tail()}")
            return can_connect(address, port)
        until(listening, lambda: f"{self.name} to listen on {address}:{port}: {self.tail()}", seconds)
        return self

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """As a crash: SIGKILL, at once."""
        if self.running():
            self.child.kill()
        if self.child is not None:
            self.child.wait()

    def wait_end(self, seconds=30):
        """Waits until it ends by itself; returns its exit status."""
        until(lambda: not self.running(), f"{self.name} to end", seconds)
        return self.child.returncode

    def stop(self, seconds=10):
        """SIGTERM, and SIGKILL for what does not obey."""
        if not self.running():
            return
        self.child.terminate()
        try:
            until(lambda: not self.running(), f"{self.name} to stop", seconds)
        except TimedOut:
            self.kill()

    def children_stop(self):
        """For servers that fork: ends the whole process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def peak_memory_bytes(pid):
    """The largest resident size the process has had (VmHWM)."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} shows no VmHWM")
