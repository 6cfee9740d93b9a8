#!/usr/bin/env python3
# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nvidia_facts costs on a host, beside nvidia-smi and beside the mere start of NVML. Every run is a new process.

`--local` measures this machine, which may be one with real GPUs; it needs nothing but Python 3.9 and this checkout.
Without it the same is done on the host with eight GPUs of the demo fleet, which must be up and converged: `make
bench-facts` sees to that. Prints a table, and JSON to the file named by --json (`-`: only JSON, to the terminal).
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
HOST, ON_HOST = "rig-h100", "/run/kubegpu-bench"
# Where Python finds the collection: below the checkout, and below the copy on the host, which holds only this part.
COLLECTIONS = "collections"
UTILITIES = "ansible_collections/kubegpu/nodes/plugins/module_utils"
PYNVML = "/usr/local/lib/kubegpu"  # where the role nvidia_driver puts it

# What a new interpreter does. It tells how long that took, without its own start, and what became of it.
GATHER = """
import json, sys, time
root, subset, hidden = sys.argv[1:4]
sys.path.insert(0, root)
if hidden:
    sys.modules["pynvml"] = None
sys.pycache_prefix = "/nowhere"
sys.dont_write_bytecode = True
begun = time.perf_counter()
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.gather import gather
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host
loaded = time.perf_counter()
if not subset:
    print(json.dumps({"seconds": loaded - begun, "note": "from source, as ansible brings it"}))
    sys.exit()
told = gather(Host(), [subset])
done = time.perf_counter()
wrong = {name: source["reason"] for name, source in told["sources"].items() if source["ok"] is False}
note = f"{len(told.get('gpus') or [])} GPUs, {len(json.dumps(told))} bytes"
print(json.dumps({"seconds": done - loaded, "note": "; ".join([note, *map(": ".join, wrong.items())])}))
"""
START = """
import json, sys, time
sys.dont_write_bytecode = True
sys.path.append(sys.argv[1])
begun, note = time.perf_counter(), ""
try:
    import pynvml
    pynvml.nvmlInit()
except Exception as exc:
    note = f"{type(exc).__name__}: {exc}"
print(json.dumps({"seconds": time.perf_counter() - begun, "note": note}))
"""


class Run(NamedTuple):
    seconds: float
    note: str


class Case(NamedTuple):
    name: str
    run: Callable[[], Run]


class Figure(NamedTuple):
    name: str
    median_ms: float
    least_ms: float
    most_ms: float
    note: str


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--local", action="store_true", help="measure this machine")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", default=str(CHECKOUT / "tests" / "output" / "bench-facts.json"), metavar="FILE")
    options = parser.parse_args()
    figures = measure(options.runs) if options.local else on_the_host(options.runs)
    text = json.dumps([figure._asdict() for figure in figures], indent=2) + "\n"
    if options.json == "-":
        sys.stdout.write(text)
        return 0
    print(table(figures))
    Path(options.json).parent.mkdir(parents=True, exist_ok=True)
    Path(options.json).write_text(text)
    print(f"as JSON: {options.json}")
    return 0


def measure(runs: int) -> list[Figure]:
    """Every case in every round, so that whatever else the machine does meets all of them."""
    spent: dict[str, list[Run]] = {case.name: [] for case in CASES}
    for _ in range(runs):
        for case in CASES:
            spent[case.name].append(case.run())
    return [figure(name, found) for name, found in spent.items()]


def figure(name: str, runs: list[Run]) -> Figure:
    times = [round(1000 * run.seconds, 1) for run in runs]
    return Figure(name, round(statistics.median(times), 1), min(times), max(times), runs[-1].note)


def gathered(subset: str, without_pynvml: bool = False) -> Run:
    words = [str(CHECKOUT / COLLECTIONS), subset, "hidden" if without_pynvml else ""]
    return told(subprocess.run([sys.executable, "-c", GATHER, *words], check=True, stdout=subprocess.PIPE).stdout)


def started() -> Run:
    return told(subprocess.run([sys.executable, "-c", START, PYNVML], check=True, stdout=subprocess.PIPE).stdout)


def told(text: bytes) -> Run:
    return Run(**json.loads(text))


def asked_nvidia_smi() -> Run:
    begun = time.perf_counter()
    try:
        answer = subprocess.run(["nvidia-smi", "-q", "-x"], stdout=subprocess.PIPE)
    except FileNotFoundError:
        return Run(0, "there is no nvidia-smi")
    note = f"{len(answer.stdout)} bytes" + (f", exit status {answer.returncode}" if answer.returncode else "")
    return Run(time.perf_counter() - begun, note)


CASES = (
    Case("all facts", partial(gathered, "all")),
    Case("all facts, no pynvml", partial(gathered, "all", without_pynvml=True)),
    Case("GPUs alone", partial(gathered, "gpus")),
    Case("GPUs alone, no pynvml", partial(gathered, "gpus", without_pynvml=True)),
    Case("import pynvml, nvmlInit", started),
    Case("load nvidia_facts itself", partial(gathered, "")),
    Case("nvidia-smi -q -x", asked_nvidia_smi),
)


def on_the_host(runs: int) -> list[Figure]:
    """Bring this program and what it measures to the host, and let it measure there."""
    inside("sh", "-c", f"mkdir -p {ON_HOST} && tar -x -C {ON_HOST}", stdin=packed())
    try:
        program = f"{ON_HOST}/{Path(__file__).relative_to(CHECKOUT)}"
        said = inside("python3", program, "--local", "--runs", str(runs), "--json", "-")
    finally:
        inside("rm", "-r", ON_HOST)
    return [Figure(**found) for found in json.loads(said)]


def packed() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(__file__, str(Path(__file__).relative_to(CHECKOUT)))
        tar.add(CHECKOUT / "plugins" / "module_utils", f"{COLLECTIONS}/{UTILITIES}", filter=without_bytecode)
    return archive.getvalue()


def without_bytecode(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry


def inside(*argv: str, stdin: bytes = b"") -> bytes:
    words = ["podman", "exec", "--interactive", HOST, *argv]
    return subprocess.run(words, input=stdin, check=True, stdout=subprocess.PIPE).stdout


def table(figures: list[Figure]) -> str:
    name = max(len(found.name) for found in figures)
    lines = [f"{'':<{name}}  median ms   least    most"]
    for found in figures:
        numbers = f"{found.median_ms:>9.0f} {found.least_ms:>7.0f} {found.most_ms:>7.0f}"
        lines.append(f"{found.name:<{name}}  {numbers}  {found.note}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
