"""`python -m bmcourse bench [name ...] [text.txt]`: the benchmarks tests/bench/bench_<name>.py, one after the other."""

import importlib
import inspect
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "bench"
PACKAGE = "tests.bench"


def main(argv):
    """Run the named benchmarks, or all of them: each prints its table. Returns the exit status.

    A file that is named is the text of the benchmarks that take one.
    """
    known = {path.stem.removeprefix("bench_"): path.stem for path in sorted(FOLDER.glob("bench_*.py"))}
    files = [name for name in argv if name not in known and Path(name).is_file()]
    unknown = [name for name in argv if name not in known and name not in files]
    if unknown:
        print(f"There is no benchmark called {unknown[0]}. There are: {', '.join(known)}.")
        return 2
    chosen = [name for name in argv if name in known] or list(known)
    for number, name in enumerate(chosen, 1):
        print(f"Benchmark {number} of {len(chosen)}: {name}", flush=True)
        run = importlib.import_module(f"{PACKAGE}.{known[name]}").main
        run(*files[: len(inspect.signature(run).parameters)])
    return 0
