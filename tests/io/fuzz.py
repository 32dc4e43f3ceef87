"""Fuzz each reader of files, guided by the coverage of this package; what CI does for a second, for as long as asked.

Run with ``python tests/io/fuzz.py``, or with the names of readers and ``--seconds``. The targets are the tests of
``test_io_hostile.py`` whose names begin with ``test_fuzz``: they make the files and hold the claim, that a reader reads
or says what is wrong. Takes ``pip install atheris``.

Each reader runs in a process of its own. The first thing that is no error of this package ends its run; Hypothesis
keeps the example, so that pytest fails with it as well, until it is mended.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

PREFIX = "test_fuzz_"
FILE = "file"
LONGEST = 2048
"""Bytes that the choices for a file are read from."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("readers", nargs="*", help="all of them if not given")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--corpus", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.corpus:
        fuzz(options.readers[0], options.seconds, options.corpus)
    tests = Path(__file__).with_name("test_io_hostile.py").read_text()
    there = re.findall(rf"^def {PREFIX}(\w+)", tests, re.MULTILINE)
    if unknown := set(options.readers) - set(there):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    return max(report(reader, options.seconds) for reader in options.readers or there)


def report(reader: str, seconds: int) -> int:
    """Fuzz one reader and print how many files it was given, or what was found."""
    with tempfile.TemporaryDirectory() as corpus:
        for seed in range(100):
            Path(corpus, str(seed)).write_bytes(random.Random(seed).randbytes(LONGEST))
        command = [sys.executable, str(Path(__file__).resolve()), reader, "--seconds", str(seconds), "--corpus", corpus]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, cwd=corpus)
    runs = re.search(r"Done \d+ runs in (\d+) second", done.stderr)
    if runs and not done.returncode:
        files = done.stdout.splitlines().count(FILE)
        print(f"{reader:22} {files:>8,} files in {runs[1]} s: read, or said what is wrong", flush=True)
        return 0
    found = "\n".join(line for line in done.stdout.splitlines() if line != FILE)
    print(f"{reader:22} FAILED\n{found[-6000:]}\n{done.stderr[-600:]}", flush=True)
    return 1


def fuzz(reader: str, seconds: int, corpus: str) -> None:
    """Fuzz one reader in this process, which ends with that."""
    import atheris

    with atheris.instrument_imports(include=["hastyframe"]):
        import test_io_hostile
    warnings.simplefilter("error")
    target = getattr(test_io_hostile, PREFIX + reader).hypothesis.fuzz_one_input

    def one(choices: bytes) -> None:
        if target(choices) is not None:  # else the choices did not suffice for a file
            print(FILE, flush=True)

    # Memory beyond 2 GiB is a finding, and so is a file that takes twenty seconds. Short inputs are no better: their
    # choices do not suffice.
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-rss_limit_mb=2048", "-timeout=20"]
    atheris.Setup([sys.argv[0], *limits, "-reduce_inputs=0", "-prefer_small=0", "-len_control=0", corpus], one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
