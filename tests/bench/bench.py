#!/usr/bin/env python3
# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml costs: module executions that reach a host, wall time, API requests; beside `ansible -m ping`.

Every figure is of a real run: executions are the Python starts that ansible asked ssh for, requests are what the API
server's audit log says the collection's own user asked for. Prints a table, and JSON to the file named by --json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from executions import count_executions

CHECKOUT = Path(__file__).resolve().parents[2]
BENCH = CHECKOUT / "tests" / "bench"
RIG = CHECKOUT / "tests" / "rig" / "rig"
FLEET = [f"bench-{number}" for number in range(1, 9)]
USER = "system:serviceaccount:kube-system:kubegpu"


class Cost(NamedTuple):
    seconds: float
    executions: dict[str, int]  # host -> module executions
    requests: dict[str, int]  # verb -> API requests


class Run(NamedTuple):
    hosts: int
    ping: Cost
    first: Cost
    converged: Cost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 2, 4, 8], help="fleet sizes to run")
    parser.add_argument("--json", type=Path, default=CHECKOUT / "tests" / "output" / "bench.json")
    options = parser.parse_args()
    runs = [measure(count) for count in options.hosts]
    print(table(runs))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([as_json(run) for run in runs], indent=2) + "\n")
    print(f"as JSON: {options.json}")
    return 0


def measure(count: int) -> Run:
    hosts = FLEET[:count]
    print(f"bench: {count} fresh host(s) ...", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, RIG, "up", "--fresh", "bench8"], check=True)
    limit = ["-i", str(BENCH / "inventory"), "--limit", ",".join(hosts)]
    site = ["ansible-playbook", "site.yml", *limit]
    return Run(count, cost(["ansible", "gpu_nodes", "-m", "ansible.builtin.ping", *limit]), cost(site), cost(site))


def cost(argv: list[str]) -> Cost:
    """Run ansible once and read what it asked of hosts and cluster."""
    audit = Path(os.environ["KUBEGPU_RIG_STATE"]) / "audit" / "audit.log"
    seen = audit.stat().st_size
    with tempfile.TemporaryDirectory(prefix="kubegpu-bench-") as folder:
        log = Path(folder) / "ssh.log"
        log.touch()
        env = {**os.environ, "KUBEGPU_BENCH_LOG": str(log), "ANSIBLE_SSH_EXECUTABLE": str(BENCH / "ssh")}
        begun = time.monotonic()
        answer = subprocess.run(argv, cwd=CHECKOUT, env=env, capture_output=True, text=True)
        seconds = time.monotonic() - begun
        if answer.returncode != 0:
            words = f"{answer.stdout[-4000:]}\n{answer.stderr[-2000:]}"
            sys.exit(f"{' '.join(argv)} ended with {answer.returncode}:\n{words}")
        executions = count_executions(log.read_text().splitlines())
    with audit.open() as file:
        file.seek(seen)
        return Cost(seconds, executions, count_requests(file))


def count_requests(lines: Iterable[str]) -> dict[str, int]:
    """API requests of the collection's user by verb, from audit events."""
    events = (json.loads(line) for line in lines if line.endswith("}\n"))
    mine = (event for event in events if event["user"]["username"] == USER and event["stage"] == "ResponseComplete")
    return dict(Counter(str(event["verb"]) for event in mine))


def table(runs: list[Run]) -> str:
    head = ("hosts", "run", "wall s", "executions/host", "API requests", "by verb")
    rows = [head, *(row for run in runs for row in rows_of(run))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def rows_of(run: Run) -> Iterator[tuple[str, ...]]:
    for name, spent in (("ping", run.ping), ("first", run.first), ("converged", run.converged)):
        most = max(spent.executions.values(), default=0)
        verbs = ", ".join(f"{verb} {count}" for verb, count in sorted(spent.requests.items()))
        yield str(run.hosts), name, f"{spent.seconds:.1f}", str(most), str(sum(spent.requests.values())), verbs


def as_json(run: Run) -> dict[str, Any]:
    return {"hosts": run.hosts, **{name: getattr(run, name)._asdict() for name in ("ping", "first", "converged")}}


if __name__ == "__main__":
    sys.exit(main())
