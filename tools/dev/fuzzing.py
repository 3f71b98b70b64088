"""./dev fuzz: libFuzzer on every parser of outside bytes."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import building
from shell import BUILD, ROOT, Failed, environment, say


def fuzzers() -> list[str]:
    return sorted(path.stem for path in (ROOT / "src").rglob("*_fuzz.cc"))


def fuzz_one(name: str, seconds: int) -> bool:
    """Seeds come from tests/corpus/<name without _fuzz>/; what is found stays under build/fuzz."""
    grown = BUILD / "fuzz/corpus" / name
    found = BUILD / "fuzz/artifacts"
    log = BUILD / "fuzz" / f"{name}.log"
    grown.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    seeds = [ROOT / "tests/corpus" / stem for stem in (name, name.removesuffix("_fuzz"))]
    command = [BUILD / "fuzz" / name, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", f"-artifact_prefix={found}/{name}-", grown,
               *[folder for folder in seeds if folder.is_dir()]]
    with log.open("w") as output:
        try:
            done = subprocess.run([str(word) for word in command], cwd=ROOT, env=environment(), stdout=output,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=seconds + 120)
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = "too slow"
    text = log.read_text(errors="replace").splitlines()
    runs = next((line.split()[-1] for line in text if line.startswith("stat::number_of_executed_units")), "?")
    if code == 0:
        say(f"{name}: {runs} inputs in {seconds} s, no fault")
        return True
    say(f"{name}: FAULT (exit code {code}); the input is under build/fuzz/artifacts, the log in {log.relative_to(ROOT)}")
    print("\n".join(text[-40:]), flush=True)
    return False


def fuzz(name: str | None, seconds: int) -> None:
    names = fuzzers()
    if name:
        matching = [known for known in names if known in (name, f"{name}_fuzz")]
        if not matching:
            raise Failed(f"no fuzzer '{name}'; there are: {', '.join(names) or 'none'}")
        names = matching
    if not names:
        raise Failed("there are no fuzzers (src/**/*_fuzz.cc)")
    building.build("fuzz", names)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda known: fuzz_one(known, seconds), names))
    print(f"fuzzers: {sum(results)} passed, {len(results) - sum(results)} failed", flush=True)
    if not all(results):
        raise Failed("a fuzzer found a fault")
