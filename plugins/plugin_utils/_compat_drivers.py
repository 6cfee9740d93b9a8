# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Compatibility data of drivers: their branches, the cards and the versions of CUDA that they serve."""

from __future__ import annotations

import re

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_answers import (
    Architecture,
    Branch,
    Card,
    Cuda,
    Verdict,
    last_day,
    minor,
    reach,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_data import Line, Lines


class Drivers(Lines):
    # Branches of the driver.

    def branches(self) -> list[int]:
        """The newest first."""
        return sorted((line["branch"] for line in self._lines("branches")), reverse=True)

    def branch(self, number: int | str | None) -> Branch | None:
        line = next((line for line in self._lines("branches") if str(line["branch"]) == str(number)), None)
        if line is None:
            return None
        eol = line.get("eol")
        return Branch(
            line["branch"],
            line.get("type"),
            line.get("newest"),
            last_day(eol),
            eol,
            self._source("branches", line),
        )

    # Cards.

    def architecture(self, name: str | None) -> Architecture | None:
        line = next((line for line in self._lines("architectures") if line["name"] == name), None)
        if line is None:
            return None
        capabilities = [line for line in self._lines("architectures", "capabilities") if line["architecture"] == name]
        first = [str(item["cuda_first"]) for item in capabilities]
        last = [item.get("cuda_last") for item in capabilities]
        return Architecture(
            line["name"],
            line.get("first_branch"),
            line.get("last_branch"),
            line["modules"],
            min(first, key=_versions.order, default=None),
            None if None in last else max(map(str, last), key=_versions.order, default=None),
            self._source("architectures", line),
            self._source("architectures", line, "modules_source"),
        )

    def architecture_of(self, device: str | None) -> Architecture | None:
        """As far as the id alone tells: for a card whose facts name no architecture."""
        if not re.fullmatch(r"[0-9a-fA-F]{4}", str(device or "")):
            return None
        lines = [line for line in self._lines("architectures", "device_ids") if int(str(device), 16) < line["below"]]
        line = min(lines, key=lambda line: int(line["below"]), default=None)
        return self.architecture(line["architecture"]) if line else None

    def card(self, device: str | None) -> Card | None:
        """What is special about the card with this PCI device id, if anything is."""
        lines = self._lines("architectures", "cards")
        line = next((line for line in lines if line["device"] == str(device or "").lower()), None)
        if line is None:
            return None
        source = self._source("architectures", line)
        return Card(line["device"], line["name"], line.get("first_driver"), line.get("modules"), source)

    def capability(self, compute: str | None) -> Architecture | None:
        """As `architecture`, for a compute capability such as 3.7: one generation can end with several toolkits."""
        lines = self._lines("architectures", "capabilities")
        line = next((line for line in lines if line["capability"] == compute), None)
        whole = self.architecture(line["architecture"]) if line else None
        if line is None or whole is None:
            return None
        source = self._source("architectures", line)
        return whole._replace(cuda_first=line["cuda_first"], cuda_last=line.get("cuda_last"), source=source)

    # CUDA.

    def cudas(self) -> list[str]:
        """Known minor versions of CUDA, the newest first."""
        return sorted({minor(line["version"]) for line in self._releases()}, key=_versions.order, reverse=True)

    def cuda(self, version: str) -> Cuda | None:
        """12.8 is the oldest release of it, 8.0.61 exactly that one, or else the newest that is not newer."""
        lines = [line for line in self._releases() if minor(line["version"]) == minor(version)]
        if not lines:
            return None
        asked = _versions.order(version)
        older = [line for line in lines if _versions.order(line["version"]) <= asked]
        line = older[0] if older else lines[-1]
        rule = self._family(version)
        return Cuda(
            version,
            line["driver"],
            self._source("cuda", line),
            rule["driver"] if rule else None,
            self._source("cuda", rule) if rule else None,
        )

    def cuda_runs_on(self, driver: str | int, cuda: str) -> Verdict:
        """Whether images of this CUDA run on a driver (580.95.05), or on the newest driver of a branch (580)."""
        known = self.cuda(cuda)
        if known is None:
            return Verdict(None, False, None, "unknown", None)
        there = reach(driver)
        full = there >= _versions.order(known.full_driver)
        ok = full or there >= _versions.order(known.needed.value)
        rule = "full" if full else "minor-version" if ok else "too-old"
        source = known.full_source if full else known.needed.source
        return Verdict(ok, full, known.needed.value, rule, source)

    def newest_cuda(self, driver: str | int) -> str | None:
        """The newest CUDA toolkit that a driver, or the newest driver of a branch, serves in full."""
        there = reach(driver)
        served = [line["version"] for line in self._releases() if _versions.order(line["driver"]) <= there]
        return minor(max(served, key=_versions.order)) if served else None

    def forward(self) -> Line | None:
        """Libraries that run a newer CUDA on an older module: `package`, `words` and `source`."""
        lines = self._lines("cuda", "forward")
        return {**lines[0], "source": self._source("cuda", lines[0])} if lines else None

    def _releases(self) -> list[Line]:
        return sorted(self._lines("cuda", "releases"), key=lambda line: _versions.order(line["version"]), reverse=True)

    def _family(self, version: str) -> Line | None:
        asked = _versions.order(minor(version))
        lines = [line for line in self._lines("cuda", "families") if line["major"] == asked[0]]
        return next((line for line in lines if _versions.order(line["since"]) <= asked), None)
