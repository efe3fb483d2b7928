"""`python -m bmcourse bench [name ...]`: the benchmarks tests/bench/bench_<name>.py, one after the other."""

import importlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "bench"
PACKAGE = "tests.bench"


def main(argv):
    """Run the named benchmarks, or all of them: each prints its table. Returns the exit status."""
    known = {path.stem.removeprefix("bench_"): path.stem for path in sorted(FOLDER.glob("bench_*.py"))}
    unknown = [name for name in argv if name not in known]
    if unknown:
        print(f"There is no benchmark called {unknown[0]}. There are: {', '.join(known)}.")
        return 2
    chosen = argv or list(known)
    for number, name in enumerate(chosen, 1):
        print(f"Benchmark {number} of {len(chosen)}: {name}", flush=True)
        importlib.import_module(f"{PACKAGE}.{known[name]}").main()
    return 0
