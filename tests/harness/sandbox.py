"""A private world for a test run: own network, mounts and process numbers.

enter() moves the program into new network, mount and PID namespaces:

    outer   the process the user started: hands on signals and the exit status, removes the state directory
    keeper  enters the namespaces; a PID namespace takes in only children
    init    process 1 of the PID namespace: reaps orphans; when it ends the kernel kills all that is left
    runner  returns from enter() and runs the tests

So nothing that a test starts can outlive it, whatever happens, and no service of the machine is reachable or
disturbed. /etc is replaced by a copy in the state directory, so that resolv.conf, passwd and the configuration
folders of packages can be changed freely. Needs root; works in a chroot, without systemd or udev.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
OPEN_FILES_MAX = 65536


class Sandbox:
    """What enter() made."""

    def __init__(self, state, outer_pid):
        self.state = state  # directory for everything the run writes
        self.etc = pathlib.Path("/etc")  # already the private copy
        self.outer_pid = outer_pid  # of init, as seen from outside: for nsenter

    def add_address(self, *addresses):
        """Gives the loopback device further addresses."""
        for address in addresses:
            run("ip", "addr", "add", f"{address}/32", "dev", "lo")

    def with_program(self, program):
        """The program under a path that every user can reach; a build that replaces it meanwhile does no harm."""
        reachable = self.state / "bin" / program.name
        reachable.parent.mkdir(mode=0o755)
        reachable.touch()
        run("mount", "--bind", str(program), str(reachable))
        return reachable

    def nsenter(self):
        """The command that opens a shell in the sandbox, for a person who wants to look."""
        return f"nsenter --target {self.outer_pid} --net --mount --pid"


def run(*command, **options):
    """Runs a command that must succeed; its output is part of the error."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def need(tool, *programs):
    """Ends the program with a clear message when root or a program is missing."""
    if os.geteuid() != 0:
        sys.exit(f"{tool}: needs root, as it makes network, mount and PID namespaces; run it as root")
    missing = [p for p in programs if not shutil.which(p, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")]
    if missing:
        sys.exit(f"{tool}: missing: {', '.join(missing)}; run './dev setup' to install what the tests need")


def enter(name, keep=False):
    """See the module. Returns in the runner only. `keep` leaves the state directory behind."""
    os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    libc = ctypes.CDLL(None, use_errno=True)
    state = pathlib.Path(tempfile.mkdtemp(prefix=f"postern-{name}-"))
    state.chmod(0o755)
    sys.stdout.flush()
    keeper = os.fork()
    if keeper != 0:  # outside: sees none of the sandbox's mounts, so that it can clear up
        status = _relay_signals(keeper)
        if keep:
            print(f"kept: {state}")
        else:
            shutil.rmtree(state, ignore_errors=True)
        sys.stdout.flush()
        os._exit(status)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare of network, mount and PID namespaces")
    init = os.fork()
    if init != 0:
        os._exit(_relay_signals(init))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    outer_pid = int(os.readlink("/proc/self"))
    _make_mounts(state)
    _raise_limits()
    run("ip", "link", "set", "lo", "up")
    runner = os.fork()
    if runner != 0:
        os._exit(_relay_signals(runner, reap_all=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    return Sandbox(state, outer_pid)


def _interrupt(*_):
    # Only the first one: a terminal's SIGINT reaches every process and is handed on as well.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _relay_signals(child, reap_all=False):
    """Waits for the child, handing on SIGINT, SIGTERM and SIGHUP; returns the exit status to use."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        pid, status = os.waitpid(-1 if reap_all else child, 0)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _make_mounts(state):
    # In a chroot "/" need not be a mount point; then each mount below it is made private instead.
    if subprocess.run(["mount", "--make-rprivate", "/"], stderr=subprocess.DEVNULL).returncode != 0:
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            subprocess.run(["mount", "--make-private", line.split()[4]], stderr=subprocess.DEVNULL)
    run("mount", "-t", "proc", "proc", "/proc")
    etc = state / "etc"
    run("cp", "-a", "/etc", str(etc))
    for file in ("resolv.conf",):  # may be a link to a file that a service owns
        (etc / file).unlink(missing_ok=True)
        (etc / file).write_text("nameserver 127.0.0.1\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    run("mount", "--bind", str(etc), "/etc")


def _raise_limits():
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, OPEN_FILES_MAX)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
