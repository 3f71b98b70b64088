"""Configuring and compiling."""

import json
import os
import shutil
import subprocess

from shell import BUILD, ROOT, Failed, environment, run, say


def presets() -> list[str]:
    entries = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    return [entry["name"] for entry in entries if not entry.get("hidden")]


def configure(preset: str) -> None:
    """Only when needed: afterwards ninja itself repeats it when a CMake file changes."""
    if preset not in presets():
        raise Failed(f"no preset '{preset}'; there are: {', '.join(presets())}")
    folder = BUILD / preset
    if (folder / "build.ninja").exists():
        return
    if folder.exists():
        shutil.rmtree(folder)
    run(["cmake", "--preset", preset], quiet=True)


def build(preset: str, targets: list[str] | None = None) -> None:
    configure(preset)
    run(["ninja", "-C", BUILD / preset, *(targets or ["all"])], aside=True)


def targets_of(preset: str) -> set[str]:
    configure(preset)
    done = subprocess.run(["ninja", "-C", str(BUILD / preset), "-t", "targets", "all"], capture_output=True, text=True,
                          env=environment())
    return {line.split(":")[0] for line in done.stdout.splitlines()}


def program(preset: str = "release") -> str:
    build(preset, ["postern"])
    path = BUILD / preset / "postern"
    if not path.exists():
        raise Failed(f"the build left no {path}")
    return str(path)


def exec_program(words: list[str]) -> None:
    """Becomes build/release/postern with these words, so that Ctrl-C reaches it alone."""
    path = program("release")
    say(f"{os.path.relpath(path)} {' '.join(words)}")
    os.execve(path, [path, *words], environment())


def clean(everything: bool) -> None:
    if everything:
        shutil.rmtree(BUILD, ignore_errors=True)
        say("removed build/")
        return
    for preset in presets():
        if (BUILD / preset).exists():
            shutil.rmtree(BUILD / preset)
            say(f"removed build/{preset}")
