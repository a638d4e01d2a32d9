"""Write the golden file: what the library gives today.

    PYTHONPATH=src:tests:benchmarks OMP_NUM_THREADS=1 python -m golden.record [--only TEXT]

with `--only`, the cases with this text in their names; the others stay as they are. Only what is
meant to change is written again, and the commit says why. The seconds of every case are printed.
"""

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path

from golden.cases import CASES
from llvmlite import binding
from runs import quietly
from threadpoolctl import threadpool_info

FILE = Path(__file__).with_name("golden.json")
_PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "clarabel")


def stored():
    """What the file says: `arithmetic`, that of cases `elsewhere`, and figures of all `cases`."""
    contents = json.loads(FILE.read_text(encoding="utf-8"))
    return contents


def arithmetic():
    """What rounding depends on: processor, kernels of the BLAS, versions of packages."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    kernels = {str(pool.get("architecture", pool["internal_api"])) for pool in pools}
    packages = {name: version(name) for name in _PACKAGES}
    return {
        "processor": binding.get_host_cpu_name(),
        "blas": ", ".join(sorted(kernels)),
        **packages,
    }


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="text in the names of the cases")
    arguments = parser.parse_args()
    nothing = {"arithmetic": arithmetic(), "elsewhere": {}, "cases": {}}
    old = stored() if FILE.exists() else nothing
    # All cases that are kept were written with the arithmetic of the file, or say which.
    kept = old if arguments.only else nothing
    new, elsewhere = {}, {}
    for case in CASES:
        if arguments.only in case.name:
            start = time.perf_counter()
            new[case.name] = quietly(case.run)
            print(f"{time.perf_counter() - start:8.3f} s  {case.name}", flush=True)
            if kept["arithmetic"] != arithmetic():
                elsewhere[case.name] = arithmetic()
        elif case.name in old["cases"]:
            new[case.name] = old["cases"][case.name]
            if case.name in old["elsewhere"]:
                elsewhere[case.name] = old["elsewhere"][case.name]
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(new[name])}" for name in new)
    head = f'"arithmetic": {json.dumps(kept["arithmetic"])},\n"elsewhere": {json.dumps(elsewhere)}'
    FILE.write_text(f'{{\n{head},\n"cases": {{\n{lines}\n}}\n}}\n', encoding="utf-8")


def arithmetic_of(contents, name):
    """What the figures of a case were written with."""
    return contents["elsewhere"].get(name, contents["arithmetic"])


if __name__ == "__main__":
    main()
