"""Files of Debian packages that are not installed, since they conflict with others or bring a service of their own."""

import pathlib
import subprocess
import sys
import tempfile


def unpacked(root, packages, files=()):
    """`root` with what is in the packages: all, or the files named, as "./usr/bin/x". They are downloaded on first use: to be
    called before a sandbox takes the network away."""
    if not (root / ".done").exists():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as folder:
            for package in packages:
                _unpack(_downloaded(package, pathlib.Path(folder)), root, files)
        (root / ".done").touch()
    return root


def _downloaded(package, folder):
    done = subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "-q", "download", package], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"cannot download the package {package}, whose files a case needs: {done.stdout.strip()}")
    return next(folder.glob(f"{package}_*.deb"))


def _unpack(deb, root, files):
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "-xp", "-C", root, *files], stdin=archive.stdout, check=True)
