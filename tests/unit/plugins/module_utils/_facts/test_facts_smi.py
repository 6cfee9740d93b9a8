# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nvidia-smi's machine formats: as recorded, as written by hand, cut off and garbled."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import smi, smi_xml
from hypothesis import given
from hypothesis import strategies as st

SMI = Path(__file__).resolve().parents[3] / "fixtures/nvidia-smi"
COLUMNS = list(smi.COLUMNS)
RECORDED = sorted(path.stem for path in SMI.glob("535.261.03-*x[0-9].xml"))


def read(name: str) -> str:
    return (SMI / name).read_text(encoding="utf-8")


def shape(value: t.Any) -> t.Any:
    """The names in a GPU, without its values."""
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def test_there_are_recordings() -> None:
    assert len(RECORDED) >= 5


@pytest.mark.parametrize("name", RECORDED)
def test_xml_and_csv_of_one_recording_agree(name: str) -> None:
    log, table = smi_xml.parse(read(f"{name}.xml")), smi.parse(read(f"{name}.csv"), COLUMNS)
    assert (log.reason, log.strangers.strip(), table.strangers) == (None, "", [])
    assert log.driver_version == table.driver_version == "535.261.03"
    assert len(log.gpus) == len(table.rows) == int(name[-1])
    for gpu, row in zip(log.gpus, table.rows):
        assert shape(gpu) == shape(row) == shape(words.blank())
        for key in ("index", "uuid", "name", "pci_address", "serial"):
            assert gpu[key] == row[key] is not None
        assert gpu["memory"]["total_mib"] == row["memory"]["total_mib"] > 0
        assert gpu["mig"]["current"] == row["mig"]["current"]
        assert row["compute_capability"]


def xml(name: str) -> smi_xml.Log:
    log = smi_xml.parse(read(name))
    assert log.reason is None
    return log


def test_recorded_h100() -> None:
    log = xml("535.261.03-h100x2.xml")
    gpu = log.gpus[1]
    assert (log.cuda_version, gpu["architecture"], gpu["vbios"]) == ("12.2", "hopper", "96.00.89.00.01")
    assert gpu["memory"] == {"total_mib": 81559, "reserved_mib": 551, "used_mib": 0}
    assert (gpu["compute_mode"], gpu["persistence_mode"], gpu["minor"]) == ("default", "enabled", 1)
    assert (gpu["pcie"]["generation_max"], gpu["pcie"]["width"]) == (5, 16)
    assert (gpu["clocks"]["memory_mhz"], gpu["clocks"]["max_sm_mhz"]) == (2619, 1980)
    assert gpu["mig"] == {"current": "disabled", "pending": "disabled", "instances": []}
    assert (gpu["processes"], gpu["nvlink"]) == ([], None)
    assert (gpu["fabric"]["state"], gpu["fabric"]["status"]) == ("completed", "success")


def test_k80_with_the_words_of_driver_470() -> None:
    gpus = xml("synthetic-470-k80.xml").gpus
    gpu = gpus[0]
    assert (gpu["name"], gpu["architecture"]) == ("Tesla K80", "kepler")
    assert gpu["memory"] == {"total_mib": 11441, "reserved_mib": None, "used_mib": 0}
    assert gpu["ecc"]["aggregate"] == {"corrected": 41, "uncorrected": 1}
    assert gpu["ecc"]["pending"] == "disabled"
    assert gpu["retired_pages"] == {"single_bit": 2, "double_bit": 1, "pending": True}
    assert set(gpu["row_remap"].values()) == {None}
    assert gpu["power"] == {
        "draw_w": 26.16,
        "limit_w": 149.0,
        "default_limit_w": 149.0,
        "min_limit_w": 100.0,
        "max_limit_w": 175.0,
    }
    assert gpu["temperature"] == {"gpu_c": 38, "memory_c": None, "slowdown_c": 88, "shutdown_c": 93}
    assert gpu["throttle_reasons"] == ["sw_power_cap"]
    assert gpu["compute_mode"] == "exclusive_process"
    assert gpu["processes"] == [{"pid": 812, "type": "compute", "used_memory_mib": 61}]


def test_v100_beside_b200() -> None:
    old, new = xml("synthetic-570-v100-b200.xml").gpus
    assert (old["architecture"], new["architecture"]) == ("volta", "blackwell")
    assert [(process["pid"], process["type"]) for process in old["processes"]] == [
        (4001, "compute"),
        (4001, "graphics"),
        (4002, "compute"),
        (4003, None),
    ]
    assert (new["power"]["draw_w"], new["power"]["limit_w"]) == (140.55, 1000.0)
    assert new["ecc"]["volatile"] == {"corrected": 5, "uncorrected": 3}
    assert new["row_remap"] == {"corrected": 0, "uncorrected": 1, "pending": True, "failed": False}
    assert new["mig"] == {"current": "disabled", "pending": "enabled", "instances": []}
    assert new["fabric"] == {
        "state": "completed",
        "status": "success",
        "clique_id": 32766,
        "cluster_uuid": "6b2f2c5e-1111-2222-3333-0123456789ab",
    }


def test_a100_in_parts() -> None:
    (gpu,) = xml("synthetic-535-a100-mig.xml").gpus
    assert (gpu["mig"]["current"], gpu["mig"]["pending"]) == ("enabled", "disabled")
    assert [
        (part["gpu_instance"], part["compute_instance"], part["memory_mib"]) for part in gpu["mig"]["instances"]
    ] == [
        (2, 0, 19968),
        (9, 0, 4864),
        (10, 0, 4864),
    ]
    assert gpu["row_remap"]["corrected"] == 1


def test_the_words_of_r615() -> None:
    log = xml("synthetic-615-wording.xml")
    assert (log.driver_version, log.cuda_version, len(log.gpus)) == ("615.71.09", "13.4", 1)


def test_a_lost_gpu_is_known_by_its_address_only() -> None:
    good, lost = xml("synthetic-580-one-lost.xml").gpus
    assert good["name"] == "NVIDIA H100 80GB HBM3"
    expected = {**words.blank(), "index": 1, "pci_address": "0000:18:00.0", "processes": []}
    expected["mig"]["instances"] = []
    assert lost == expected


def test_an_incomplete_log_gives_no_index() -> None:
    text = read("535.261.03-h100x2.xml").replace("<attached_gpus>2<", "<attached_gpus>8<")
    assert [gpu["index"] for gpu in smi_xml.parse(text).gpus] == [None, None]


BOMB = '<!ENTITY a "aaaaaaaaaaaaaaaaaaaa"><!ENTITY b "&a;&a;&a;">'
REFUSED = {
    "nothing": "",
    "a banner": "NVIDIA-SMI 580.95.05  Driver Version: 580.95.05  CUDA Version: 13.0",
    "cut off": read("535.261.03-t4x1.xml")[:-30],
    "not XML": "<nvidia_smi_log><gpu></nvidia_smi_log>",
    "entities": f"<!DOCTYPE nvidia_smi_log [{BOMB}]><nvidia_smi_log>&b;</nvidia_smi_log>",
    "entities inside": f"<nvidia_smi_log>{BOMB}</nvidia_smi_log>",
    "an unknown entity": '<!DOCTYPE nvidia_smi_log SYSTEM "x.dtd"><nvidia_smi_log>&b</nvidia_smi_log>',
    "too long": f"<nvidia_smi_log>{' ' * smi_xml.LONGEST}</nvidia_smi_log>",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_log_has_a_reason(text: str) -> None:
    log = smi_xml.parse(text)
    assert log.gpus == [] and log.reason


def test_entities_of_a_doctype_never_reach_the_parser() -> None:
    """An internal subset is left out of the document, so that what it declares is unknown there."""
    text = f"<!DOCTYPE nvidia_smi_log [{BOMB}]><nvidia_smi_log><driver_version>&b;</driver_version></nvidia_smi_log>"
    assert "undefined entity" in (smi_xml.parse(text).reason or "")


def test_csv_table() -> None:
    table = smi.parse(read("synthetic-580-h100x8.csv"), COLUMNS)
    assert (len(table.rows), table.driver_version, table.strangers) == (8, "580.95.05", [])
    expected = {
        "index": 1,
        "uuid": "GPU-00000001-1111-2222-3333-444444444444",
        "name": "NVIDIA H100 80GB HBM3",
        "pci_address": "0000:18:00.0",
        "serial": "1650823000001",
        "compute_capability": "9.0",
    }
    assert {key: table.rows[1][key] for key in expected} == expected
    assert (table.rows[1]["memory"]["total_mib"], table.rows[1]["mig"]["current"]) == (81559, "disabled")


def test_csv_says_null_for_what_a_card_cannot() -> None:
    rows = smi.parse(read("synthetic-535-a100-mig-t4.csv"), COLUMNS).rows
    assert [row["mig"]["current"] for row in rows] == ["enabled", None]
    assert [row["serial"] for row in rows] == ["1564720000001", None]
    assert rows[1]["pci_address"] == "10000:3b:00.0"


def test_csv_with_a_lost_gpu_still_tells_of_the_other() -> None:
    table = smi.parse(read("synthetic-580-one-lost.csv"), COLUMNS)
    assert [row["index"] for row in table.rows] == [0]
    assert table.strangers[0].startswith("Unable to determine the device handle for GPU1")


@pytest.mark.parametrize("name", ["535.261.03-no-driver.txt", "535.261.03-no-library.txt"])
def test_csv_without_a_driver_is_no_table(name: str) -> None:
    table = smi.parse(read(name), COLUMNS)
    assert table.rows == [] and table.strangers[0].startswith("NVIDIA-SMI ")


def test_too_old_for_a_column() -> None:
    assert smi.unknown_column('Field "compute_cap" is not a valid field to query.\n') == "compute_capability"
    assert smi.unknown_column('Field "of dreams" is not a valid field to query.') is None
    assert "compute_cap" not in smi.argv([name for name in COLUMNS if name != "compute_capability"])[1]


PIECES = st.sampled_from(
    [
        *("0", ", ", "\n", "\r", '"', "N/A", "[N/A]", "GPU-1", "580.95.05", "99999999999999", "²", "٣", "81559 MiB"),
        *(
            "<nvidia_smi_log>",
            "</nvidia_smi_log>",
            "<gpu>",
            "</gpu>",
            "<gpu id='1'>",
            "<pci>",
            "</pci>",
            "&amp;",
            "&b;",
        ),
        *("<!DOCTYPE nvidia_smi_log", "<!ENTITY a 'b'>", "[", "]>", "<?xml version='1.0' ?>", "<![CDATA[", "]]>"),
        *("<processes>", "</processes>", "<process_info>", "</process_info>", "<pid>7</pid>", "<ecc_errors>", "\0"),
        *('Field "', '" is not a valid field to query', "<attached_gpus>1</attached_gpus>", "\ud800", "<mig_device/>"),
    ]
)
GARBLED = st.text(max_size=60) | st.lists(PIECES, max_size=25).map("".join)
FILES = sorted(path.name for path in SMI.iterdir() if path.suffix in (".xml", ".csv", ".txt"))


def parse_all(text: str) -> None:
    for result in (smi_xml.parse(text), smi.parse(text, COLUMNS), smi.unknown_column(text)):
        json.dumps(result)
    assert all(shape(gpu) == shape(words.blank()) for gpu in smi_xml.parse(text).gpus)


@pytest.mark.parametrize("text", ["<nvidia_smi_log>", "</nvidia_smi_log><nvidia_smi_log>", "<?xml "])
def test_much_nonsense_costs_little(text: str) -> None:
    began = time.process_time()
    parse_all(text * (2_000_000 // len(text)))
    assert time.process_time() - began < 5


@given(text=GARBLED, inside=st.booleans())
def test_nonsense(text: str, inside: bool) -> None:
    parse_all(f"<nvidia_smi_log><gpu>{text}</gpu></nvidia_smi_log>" if inside else text)


@given(name=st.sampled_from(FILES), end=st.integers(0, 20000), start=st.integers(0, 200))
def test_truncated(name: str, end: int, start: int) -> None:
    parse_all(read(name)[start:end])


@given(name=st.sampled_from(FILES), place=st.integers(0, 20000), piece=PIECES, length=st.integers(0, 40))
def test_damaged_in_one_place(name: str, place: int, piece: str, length: int) -> None:
    text = read(name)
    parse_all(text[:place] + piece + text[place + length :])
