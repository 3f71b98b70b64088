"""./dev setup: installs what is missing from Debian's packages, and nothing else."""

import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from shell import BUILD, ROOT, Failed, say

LIST = ROOT / "tools/dev/packages.txt"
STAMP = BUILD / ".setup"
POLICY = Path("/usr/sbin/policy-rc.d")


def wanted() -> dict[str, tuple[str, str]]:
    """Package -> (group, reason)."""
    packages = {}
    for line in LIST.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            group, package, reason = line.split(maxsplit=2)
            packages[package] = (group, reason)
    return packages


def missing() -> list[str]:
    """What dpkg does not have installed. A package that another provides counts as there (pkg-config by pkgconf)."""
    names = list(wanted())
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\t${Provides}\n"],
                          capture_output=True, text=True)
    installed = set()
    for line in done.stdout.splitlines():
        package, status, provides = line.split("\t")
        if status == "installed":
            installed.add(package)
            installed.update(entry.split()[0] for entry in provides.split(",") if entry.strip())
    return [name for name in names if name not in installed]


def fingerprint() -> str:
    """Changes whenever the list or dpkg's database does."""
    status = Path("/var/lib/dpkg/status")
    seen = f"{status.stat().st_mtime_ns}" if status.exists() else "none"
    return hashlib.sha256(LIST.read_bytes() + seen.encode()).hexdigest()


def ensure() -> None:
    """What every command but setup runs first: costs a stat when nothing changed."""
    if not STAMP.exists() or STAMP.read_text() != fingerprint():
        setup(quiet=True)


@contextmanager
def services_stay_off():
    """Debian starts a server when its package is installed, unless policy-rc.d says no. Leaves an existing one alone."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def apt(arguments: list[str]) -> int:
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    return subprocess.run(["apt-get", *arguments], env=env, stdin=subprocess.DEVNULL).returncode


def install(packages: list[str]) -> None:
    say("apt-get update")
    if apt(["update", "-qq"]) != 0:
        say("'apt-get update' had errors (above); going on with the lists that it has")
    with services_stay_off():
        code = apt(["install", "-y", "-qq", "--no-install-recommends", *packages])
    if code != 0 or missing():
        raise Failed(f"apt-get could not install: {' '.join(missing() or packages)}. Its messages are above. "
                     "Postern's packages are those of Debian 12 (bookworm, main).")


def as_root(packages: list[str]) -> None:
    """Runs the same setup through sudo when that needs no password; else says the command."""
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        if subprocess.run(["sudo", "-n", "sh", str(ROOT / "dev"), "setup", "--install-only"]).returncode == 0:
            return
        raise Failed("setup through sudo failed")
    raise Failed("not root. As root, run './dev setup', or:\n"
                 "    apt-get update && apt-get install -y --no-install-recommends " + " ".join(packages))


def setup(quiet: bool = False, install_only: bool = False) -> None:
    if not shutil.which("dpkg-query"):
        raise Failed("this is not a Debian system; install by other means what tools/dev/packages.txt lists, "
                     "with clang 19 or newer")
    packages = missing()
    if packages:
        reasons = wanted()
        say("missing Debian packages:")
        for package in packages:
            print(f"    {package:22} {reasons[package][1]}", flush=True)
        if os.geteuid() == 0:
            install(packages)
        else:
            as_root(packages)
        say(f"installed {len(packages)} packages")
    elif not quiet:
        say(f"all {len(wanted())} Debian packages are there")
    if not install_only:
        BUILD.mkdir(exist_ok=True)
        STAMP.write_text(fingerprint())
