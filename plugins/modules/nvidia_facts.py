#!/usr/bin/python
# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_facts
version_added: 0.1.0
short_description: Reads everything about the NVIDIA GPU stack of a host
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Reads, in one round trip, the NVIDIA devices of a host, its driver, CUDA toolkits, packages,
    container runtimes and kubelet, and returns them as C(ansible_facts.nvidia).
  - Works without any driver, without root and without any Python package on the host. On a host
    that has nothing of NVIDIA's it succeeds with empty lists.
  - A source that is missing, hangs or talks nonsense is named in RV(ansible_facts.nvidia.sources)
    with its reason. It never fails the module.
  - A value that could not be read is V(null). Nothing is guessed.
extends_documentation_fragment:
  - kubegpu.nodes._attributes
  - kubegpu.nodes._attributes.facts
attributes:
  platform:
    platforms: linux
options:
  gather_subset:
    description:
      - What to read. V(all) is everything.
      - The facts hold only the keys that were asked for, and replace what an earlier call has left.
    type: list
    elements: str
    choices:
      - all
      - platform
      - pci
      - gpus
      - driver
      - cuda
      - packages
      - package_sources
      - dnf
      - container
      - kubelet
      - files
    default:
      - all
notes:
  - The GPUs come from NVML through the Python module C(pynvml) (package C(nvidia-ml-py)). A host needs
    no C(pip) for it, since the role P(kubegpu.nodes.nvidia_driver#role) carries the controller's over
    once; a C(pynvml) that the host's own Python can import comes first.
  - Where there is no C(pynvml) they come from C(nvidia-smi -q -x) and C(nvidia-smi --query-gpu), its
    formats for machines. What hangs in one way is not asked in another. None is asked while no driver
    is loaded, because asking could load it.
  - NVML is asked in a child process and every command has a time limit of 10 seconds, NVML and C(nvidia-smi) one
    of 30, so that a GPU that has fallen off the bus cannot hang the play. All sources are asked at the same time.
  - The module needs no other facts, so that plays may turn C(gather_facts) off.
"""

EXAMPLES = r"""
- name: Read everything
  kubegpu.nodes.nvidia_facts:

- name: Name the GPUs
  ansible.builtin.debug:
    msg: "{{ ansible_facts.nvidia.gpus | map(attribute='name') | list }}"

- name: Read only what is on the PCI bus and what the driver is
  kubegpu.nodes.nvidia_facts:
    gather_subset: [pci, driver]

- name: Insist that the parts of the driver belong together
  ansible.builtin.assert:
    that: ansible_facts.nvidia.driver.mismatch is none
    fail_msg: "{{ ansible_facts.nvidia.driver.mismatch }}"
"""

RETURN = r"""
ansible_facts:
  description: Facts to be kept for the host.
  returned: always
  type: dict
  contains:
    nvidia:
      description: The NVIDIA GPU stack of the host.
      returned: always
      type: dict
      contains:
        platform:
          description: The system, its kernels, what is under it and its file systems.
          returned: when O(gather_subset) asks for it
          type: dict
          contains:
            id:
              description: C(ID) of os-release.
              type: str
              sample: debian
              returned: always
            version:
              description: C(VERSION_ID) of os-release.
              type: str
              sample: '12'
              returned: always
            codename:
              description: C(VERSION_CODENAME) of os-release.
              type: str
              sample: bookworm
              returned: always
            name:
              description: C(PRETTY_NAME) of os-release.
              type: str
              sample: Debian GNU/Linux 12 (bookworm)
              returned: always
            family:
              description: V(debian) or V(redhat), by C(ID) and C(ID_LIKE).
              type: str
              sample: debian
              returned: always
            package_manager:
              description: V(apt), V(dnf) or V(yum), by family and by what is installed.
              type: str
              sample: apt
              returned: always
            architecture:
              description: Machine as C(uname -m) names it.
              type: str
              sample: x86_64
              returned: always
            kernel:
              description: Releases of kernels.
              returned: always
              type: dict
              contains:
                running:
                  description: The running one, as C(uname -r) names it.
                  type: str
                  sample: 6.1.0-40-amd64
                  returned: always
                newest:
                  description: The newest of RV(ansible_facts.nvidia.platform.kernels); V(null) where
                    none is installed, as in a container.
                  type: str
                  sample: 6.1.0-41-amd64
                  returned: always
                next_boot:
                  description:
                    - The one that boots next. From C(grub.cfg) with C(grubenv) of GRUB, the boot loader
                      entries of Enterprise Linux, or C(loader.conf) of systemd-boot.
                    - V(null) where these do not tell it; C(next_boot) of
                      RV(ansible_facts.nvidia.sources) then says why.
                  type: str
                  sample: 6.1.0-41-amd64
                  returned: always
                next_boot_source:
                  description: 'Who told it: V(grub.cfg), V(boot loader entries), V(systemd-boot), or
                    V(the only one) where one kernel only could boot.'
                  type: str
                  sample: grub.cfg
                  returned: always
            kernels:
              description: Installed kernels, oldest first. Folders of C(/lib/modules) that hold
                C(modules.dep), or whose kernel is in C(/boot).
              returned: always
              type: list
              elements: dict
              contains:
                release:
                  description: As C(uname -r) would name it.
                  type: str
                  sample: 6.1.0-41-amd64
                  returned: always
                headers:
                  description: Whether what modules are built with is there, in C(build) of its modules,
                    or in C(linux-headers-*) or C(kernels) of C(/usr/src).
                  type: bool
                  sample: true
                  returned: always
                bootable:
                  description: Whether the kernel itself is in C(/boot), where a boot loader finds it.
                  type: bool
                  sample: true
                  returned: always
                package:
                  description: The rpm package that brought it, by its name without a version. V(null) where rpm
                    knows none, and on hosts with dpkg.
                  type: str
                  sample: kernel-core
                  returned: always
            secure_boot:
              description: Whether the firmware has Secure Boot on, from the EFI variable C(SecureBoot);
                V(false) without UEFI, V(null) where it cannot be read.
              type: bool
              sample: false
              returned: always
            virtualization:
              description: Hypervisor or container that the system runs in, as C(systemd-detect-virt)
                names it; V(none) on bare metal.
              type: str
              sample: none
              returned: always
            cgroup_version:
              description: Version of the control groups that have the controllers, from
                C(/sys/fs/cgroup).
              type: int
              sample: 2
              returned: always
            reboot:
              description: Whether a reboot is due.
              returned: always
              type: dict
              contains:
                pending:
                  description: V(true) for any reason below; V(null) where there is none but the kernel
                    that boots next is not known either.
                  type: bool
                  sample: true
                  returned: always
                reasons:
                  description: 'In words: packages that ask for it (C(/run/reboot-required)), another
                    kernel that boots next.'
                  type: list
                  elements: str
                  sample:
                    - kernel 6.1.0-41-amd64 boots next, 6.1.0-40-amd64 is running
                  returned: always
            filesystems:
              description:
                - Room in V(/), V(/boot), V(/usr), V(/var) and V(/var/lib), from C(statvfs) and
                  C(/proc/self/mounts).
                - Each value holds C(mount) (where the file system is mounted that the folder is in),
                  C(total_mib) and C(available_mib) (MiB; what is kept for root does not count). All
                  three are V(null) where the folder is not there.
              type: dict
              returned: always
              sample:
                /var/lib:
                  mount: /var
                  total_mib: 95054
                  available_mib: 61440
            python:
              description: Version of the Python that runs the module.
              type: str
              sample: 3.11.2
              returned: always
            python_path:
              description: Its program.
              type: str
              sample: /usr/bin/python3
              returned: always
            service_manager:
              description: V(systemd) where C(/run/systemd/system) is there.
              type: str
              sample: systemd
              returned: always
            uid:
              description: Effective user id of the module.
              type: int
              sample: 0
              returned: always
            hostname:
              description: Name of the host as the kernel has it.
              type: str
              sample: gpu-1
              returned: always
        pci:
          description:
            - NVIDIA's devices of the classes display controller (C(03)) and other bridge (C(0680),
              an NVSwitch), from C(/sys/bus/pci/devices), and NVLink bridges, by address.
            - Needs no driver.
          returned: when O(gather_subset) asks for it
          type: list
          elements: dict
          contains:
            address:
              description: Domain, bus, device and function.
              type: str
              sample: 0000:1b:00.0
              returned: always
            vendor:
              description: Vendor id in hex; V(10de), of an NVLink bridge V(15b3).
              type: str
              sample: 10de
              returned: always
            device:
              description: Device id in hex.
              type: str
              sample: '2330'
              returned: always
            subsystem_vendor:
              description: Vendor id of the board in hex.
              type: str
              sample: 10de
              returned: always
            subsystem_device:
              description: Device id of the board in hex.
              type: str
              sample: 16c1
              returned: always
            class:
              description: Class, subclass and interface in hex.
              type: str
              sample: '030200'
              returned: always
            kind:
              description: 'V(gpu) for a display controller; V(nvswitch) for another bridge, V(other)
                where pci.ids knows it as something else; V(nvlink-bridge) for an InfiniBand device
                whose product data (C(vpd)) hold C(SW_MNG), which manages the switches of NVLink 5.'
              type: str
              sample: gpu
              returned: always
            name:
              description: Name by which pci.ids of the system knows the device, from
                C(/usr/share/misc/pci.ids) or C(/usr/share/hwdata/pci.ids).
              type: str
              sample: H100 SXM5 80GB
              returned: always
            chip:
              description: Chip in the same entry of pci.ids.
              type: str
              sample: GH100
              returned: always
            architecture:
              description: 'Of a GPU: V(tesla), V(fermi), V(kepler), V(maxwell), V(pascal), V(volta),
                V(turing), V(ampere), V(ada-lovelace), V(hopper), V(blackwell) or V(rubin).'
              type: str
              sample: hopper
              returned: always
            architecture_source:
              description: 'What told the architecture: V(pci.ids) by the chip, or V(device id) by the
                blocks of ids that this collection knows.'
              type: str
              sample: pci.ids
              returned: always
            mig_capable:
              description: Whether the GPU can be cut into MIG instances, by chip or device id; V(null)
                where some cards with that chip can and others cannot, and where nobody knows.
              type: bool
              sample: true
              returned: always
            open_modules:
              description: 'Whether NVIDIA''s open kernel modules serve the GPU, by architecture:
                V(never), V(either) (the proprietary ones do too) or V(only).'
              type: str
              sample: either
              returned: always
            driver:
              description: 'Kernel driver that has the device: V(nvidia), V(nouveau), V(vfio-pci) and
                the like; V(null) for none.'
              type: str
              sample: nvidia
              returned: always
            numa_node:
              description: NUMA node; V(null) where the kernel does not know.
              type: int
              sample: 0
              returned: always
            link:
              description: The PCIe link. Speeds in GT/s, widths in lanes, from C(current_link_speed),
                C(max_link_speed), C(current_link_width) and C(max_link_width). An idle GPU slows its
                link down.
              returned: always
              type: dict
              contains:
                speed_gts:
                  description: Speed now, in GT/s.
                  type: float
                  sample: 32.0
                  returned: always
                speed_max_gts:
                  description: Highest speed of the device, in GT/s.
                  type: float
                  sample: 32.0
                  returned: always
                width:
                  description: Lanes now.
                  type: int
                  sample: 16
                  returned: always
                width_max:
                  description: Most lanes of the device.
                  type: int
                  sample: 16
                  returned: always
        gpus:
          description:
            - GPUs that the running driver serves, by index. Empty where no driver is loaded.
            - From NVML, of which the function is named below. Without it from the XML of C(nvidia-smi -q -x), which
              tells the same but where said, and the CSV of C(nvidia-smi --query-gpu), which tells C(index), C(uuid),
              C(name), C(pci_address), C(serial), C(compute_capability), C(memory.total_mib) and C(mig.current) only.
            - Where neither knows of any, from the kernel module's C(/proc/driver/nvidia/gpus), which tells C(name),
              C(uuid), C(pci_address), C(minor) and C(vbios). A GPU without C(index) is there, but does not answer.
            - A key is always there. V(null) is what the card has not or nobody could tell.
          returned: when O(gather_subset) asks for it
          type: list
          elements: dict
          contains:
            index:
              description: 'NVML''s index, which C(nvidia-smi) prints too. NVML:
                C(nvmlDeviceGetHandleByIndex).'
              type: int
              sample: 0
              returned: always
            uuid:
              description: 'UUID. NVML: C(nvmlDeviceGetUUID).'
              type: str
              sample: GPU-00000000-1111-2222-3333-444444444444
              returned: always
            serial:
              description: 'Serial number of the board. NVML: C(nvmlDeviceGetSerial).'
              type: str
              sample: '1650823000001'
              returned: always
            name:
              description: 'Product name. NVML: C(nvmlDeviceGetName).'
              type: str
              sample: NVIDIA H100 80GB HBM3
              returned: always
            architecture:
              description: 'V(kepler), V(maxwell), V(pascal), V(volta), V(turing), V(ampere),
                V(ada-lovelace), V(hopper), V(blackwell) or V(rubin). NVML:
                C(nvmlDeviceGetArchitecture).'
              type: str
              sample: hopper
              returned: always
            compute_capability:
              description: 'CUDA compute capability. Not in the XML; from the CSV there. NVML:
                C(nvmlDeviceGetCudaComputeCapability).'
              type: str
              sample: '9.0'
              returned: always
            pci_address:
              description: 'PCI address, written as in RV(ansible_facts.nvidia.pci[].address).
                NVML: C(nvmlDeviceGetPciInfo).'
              type: str
              sample: 0000:1b:00.0
              returned: always
            minor:
              description: 'Number of the device node: C(/dev/nvidia<minor>). NVML:
                C(nvmlDeviceGetMinorNumber).'
              type: int
              sample: 0
              returned: always
            vbios:
              description: 'Version of the VBIOS. NVML: C(nvmlDeviceGetVbiosVersion).'
              type: str
              sample: 96.00.89.00.01
              returned: always
            compute_mode:
              description: 'V(default), V(exclusive_thread), V(prohibited) or
                V(exclusive_process). NVML: C(nvmlDeviceGetComputeMode).'
              type: str
              sample: default
              returned: always
            persistence_mode:
              description: 'V(enabled) or V(disabled). NVML: C(nvmlDeviceGetPersistenceMode).'
              type: str
              sample: enabled
              returned: always
            memory:
              description: 'Memory of the card. NVML: C(nvmlDeviceGetMemoryInfo).'
              type: dict
              returned: always
              contains:
                total_mib:
                  description: All of it, in MiB.
                  type: int
                  sample: 81559
                  returned: always
                reserved_mib:
                  description: What driver and firmware keep, in MiB. Drivers before 510 count
                    it as used and V(null) is here.
                  type: int
                  sample: 551
                  returned: always
                used_mib:
                  description: What processes have allocated, in MiB.
                  type: int
                  sample: 0
                  returned: always
            bar1:
              description: 'Window through which the memory is mapped to the bus. NVML:
                C(nvmlDeviceGetBAR1MemoryInfo).'
              type: dict
              returned: always
              contains:
                total_mib:
                  description: Its size in MiB.
                  type: int
                  sample: 131072
                  returned: always
                used_mib:
                  description: What of it is in use, in MiB.
                  type: int
                  sample: 1
                  returned: always
            mig:
              description: Multi-Instance GPU.
              type: dict
              returned: always
              contains:
                current:
                  description: 'V(enabled) or V(disabled) now; V(null) where the card cannot.
                    NVML: C(nvmlDeviceGetMigMode).'
                  type: str
                  sample: disabled
                  returned: always
                pending:
                  description: 'The same after the next reset of the card. NVML:
                    C(nvmlDeviceGetMigMode).'
                  type: str
                  sample: disabled
                  returned: always
                instances:
                  description: 'Compute instances that are there. Empty where MIG is off or the
                    card cannot. NVML: C(nvmlDeviceGetMigDeviceHandleByIndex).'
                  type: list
                  elements: dict
                  returned: always
                  contains:
                    uuid:
                      description: 'UUID of the instance. V(null) from the XML, which does not
                        tell it. NVML: C(nvmlDeviceGetUUID).'
                      type: str
                      sample: MIG-c7384736-a75d-5afc-978f-d2f1294409fd
                      returned: always
                    name:
                      description: 'Its profile. V(null) from the XML. NVML:
                        C(nvmlDeviceGetName).'
                      type: str
                      sample: 1g.10gb
                      returned: always
                    memory_mib:
                      description: 'Its memory in MiB. NVML: C(nvmlDeviceGetMemoryInfo).'
                      type: int
                      sample: 9856
                      returned: always
                    gpu_instance:
                      description: 'Id of the GPU instance that it belongs to. NVML:
                        C(nvmlDeviceGetGpuInstanceId).'
                      type: int
                      sample: 9
                      returned: always
                    compute_instance:
                      description: 'Its id in there. NVML: C(nvmlDeviceGetComputeInstanceId).'
                      type: int
                      sample: 0
                      returned: always
            ecc:
              description: Memory with error correction.
              type: dict
              returned: always
              contains:
                current:
                  description: 'V(enabled) or V(disabled) now; V(null) where the card cannot.
                    NVML: C(nvmlDeviceGetEccMode).'
                  type: str
                  sample: enabled
                  returned: always
                pending:
                  description: 'The same after the next reboot. NVML: C(nvmlDeviceGetEccMode).'
                  type: str
                  sample: enabled
                  returned: always
                volatile:
                  description: 'Errors since the driver was loaded. From the XML it is the sum
                    of the parts that the card counts. NVML: C(nvmlDeviceGetTotalEccErrors).'
                  type: dict
                  returned: always
                  contains:
                    corrected:
                      description: Number of corrected errors.
                      type: int
                      sample: 0
                      returned: always
                    uncorrected:
                      description: Number of uncorrected errors.
                      type: int
                      sample: 0
                      returned: always
                aggregate:
                  description: 'Errors in the card''s life. From the XML it is the sum of the
                    parts that the card counts. NVML: C(nvmlDeviceGetTotalEccErrors).'
                  type: dict
                  returned: always
                  contains:
                    corrected:
                      description: Number of corrected errors.
                      type: int
                      sample: 0
                      returned: always
                    uncorrected:
                      description: Number of uncorrected errors.
                      type: int
                      sample: 0
                      returned: always
            retired_pages:
              description: Pages of memory taken out of use, on cards before Ampere; V(null) on
                others.
              type: dict
              returned: always
              contains:
                single_bit:
                  description: 'Number of those with several single-bit errors. NVML:
                    C(nvmlDeviceGetRetiredPages).'
                  type: int
                  sample: 0
                  returned: always
                double_bit:
                  description: 'Number of those with a double-bit error. NVML:
                    C(nvmlDeviceGetRetiredPages).'
                  type: int
                  sample: 0
                  returned: always
                pending:
                  description: 'Whether further ones wait for a reboot. NVML:
                    C(nvmlDeviceGetRetiredPagesPendingStatus).'
                  type: bool
                  sample: false
                  returned: always
            row_remap:
              description: 'Rows of memory replaced by spare ones, on Ampere and newer; V(null)
                on others. NVML: C(nvmlDeviceGetRemappedRows).'
              type: dict
              returned: always
              contains:
                corrected:
                  description: Number of those replaced after corrected errors.
                  type: int
                  sample: 0
                  returned: always
                uncorrected:
                  description: Number of those replaced after uncorrected errors.
                  type: int
                  sample: 0
                  returned: always
                pending:
                  description: Whether further ones wait for a reset of the card.
                  type: bool
                  sample: false
                  returned: always
                failed:
                  description: Whether a replacement has failed, so that the card is to be
                    replaced.
                  type: bool
                  sample: false
                  returned: always
            power:
              description: Power.
              type: dict
              returned: always
              contains:
                draw_w:
                  description: 'Drawn now, in watts. NVML: C(nvmlDeviceGetPowerUsage).'
                  type: float
                  sample: 71.25
                  returned: always
                limit_w:
                  description: 'Limit that is set, in watts. NVML:
                    C(nvmlDeviceGetPowerManagementLimit).'
                  type: float
                  sample: 700.0
                  returned: always
                default_limit_w:
                  description: 'Limit after a reboot, in watts. NVML:
                    C(nvmlDeviceGetPowerManagementDefaultLimit).'
                  type: float
                  sample: 700.0
                  returned: always
                min_limit_w:
                  description: 'Lowest limit that may be set, in watts. NVML:
                    C(nvmlDeviceGetPowerManagementLimitConstraints).'
                  type: float
                  sample: 200.0
                  returned: always
                max_limit_w:
                  description: 'Highest limit that may be set, in watts. NVML:
                    C(nvmlDeviceGetPowerManagementLimitConstraints).'
                  type: float
                  sample: 700.0
                  returned: always
            temperature:
              description: Temperatures.
              type: dict
              returned: always
              contains:
                gpu_c:
                  description: 'Of the GPU, in degrees Celsius. NVML:
                    C(nvmlDeviceGetTemperatureV).'
                  type: int
                  sample: 31
                  returned: always
                memory_c:
                  description: 'Of its memory, in degrees Celsius. NVML:
                    C(nvmlDeviceGetFieldValues).'
                  type: int
                  sample: 44
                  returned: always
                slowdown_c:
                  description: 'At which it slows down, in degrees Celsius. V(null) where a card
                    tells only its distance from it. NVML:
                    C(nvmlDeviceGetTemperatureThreshold).'
                  type: int
                  sample: 87
                  returned: always
                shutdown_c:
                  description: 'At which it shuts down, in degrees Celsius. V(null) as for
                    C(slowdown_c). NVML: C(nvmlDeviceGetTemperatureThreshold).'
                  type: int
                  sample: 90
                  returned: always
            clocks:
              description: Clocks.
              type: dict
              returned: always
              contains:
                graphics_mhz:
                  description: 'Of the graphics engine now, in MHz. NVML:
                    C(nvmlDeviceGetClockInfo).'
                  type: int
                  sample: 330
                  returned: always
                sm_mhz:
                  description: 'Of the multiprocessors now, in MHz. NVML:
                    C(nvmlDeviceGetClockInfo).'
                  type: int
                  sample: 330
                  returned: always
                memory_mhz:
                  description: 'Of the memory now, in MHz. NVML: C(nvmlDeviceGetClockInfo).'
                  type: int
                  sample: 2619
                  returned: always
                max_graphics_mhz:
                  description: 'Highest of the graphics engine, in MHz. NVML:
                    C(nvmlDeviceGetMaxClockInfo).'
                  type: int
                  sample: 1980
                  returned: always
                max_sm_mhz:
                  description: 'Highest of the multiprocessors, in MHz. NVML:
                    C(nvmlDeviceGetMaxClockInfo).'
                  type: int
                  sample: 1980
                  returned: always
                max_memory_mhz:
                  description: 'Highest of the memory, in MHz. NVML:
                    C(nvmlDeviceGetMaxClockInfo).'
                  type: int
                  sample: 2619
                  returned: always
            throttle_reasons:
              description: 'Why the clocks are not higher, in C(nvidia-smi)''s words;
                C(gpu_idle) is one of them. A reason that is not known here is the number of its
                bit. NVML: C(nvmlDeviceGetCurrentClocksEventReasons).'
              type: list
              elements: str
              sample:
                - sw_power_cap
              returned: always
            pcie:
              description: Its PCI Express link. RV(ansible_facts.nvidia.pci[].link) tells of
                the same without a driver.
              type: dict
              returned: always
              contains:
                generation:
                  description: 'Generation now. It falls while a card is idle. NVML:
                    C(nvmlDeviceGetCurrPcieLinkGeneration).'
                  type: int
                  sample: 5
                  returned: always
                generation_max:
                  description: 'Highest generation that card and slot can both. NVML:
                    C(nvmlDeviceGetMaxPcieLinkGeneration).'
                  type: int
                  sample: 5
                  returned: always
                width:
                  description: 'Lanes now. NVML: C(nvmlDeviceGetCurrPcieLinkWidth).'
                  type: int
                  sample: 16
                  returned: always
                width_max:
                  description: 'Most lanes that card and slot can both. NVML:
                    C(nvmlDeviceGetMaxPcieLinkWidth).'
                  type: int
                  sample: 16
                  returned: always
                replay_count:
                  description: 'Transfers that had to be repeated. NVML:
                    C(nvmlDeviceGetPcieReplayCounter).'
                  type: int
                  sample: 0
                  returned: always
            nvlink:
              description: Its NVLinks. Empty where it has none; V(null) from C(nvidia-smi).
              type: list
              elements: dict
              returned: always
              contains:
                link:
                  description: Number of the link.
                  type: int
                  sample: 0
                  returned: always
                state:
                  description: 'V(active) or V(inactive). NVML: C(nvmlDeviceGetNvLinkState).'
                  type: str
                  sample: active
                  returned: always
                version:
                  description: 'Version of NVLink. NVML: C(nvmlDeviceGetNvLinkVersion).'
                  type: str
                  sample: '4.0'
                  returned: always
                remote_pci:
                  description: 'PCI address of the other end. NVML:
                    C(nvmlDeviceGetNvLinkRemotePciInfo).'
                  type: str
                  sample: 0000:07:00.0
                  returned: always
                errors:
                  description: 'Numbers of errors; V(null) where the card does not count them or
                    the link is inactive. NVML: C(nvmlDeviceGetNvLinkErrorCounter).'
                  type: dict
                  returned: always
                  contains:
                    replay:
                      description: Replays.
                      type: int
                      sample: 0
                      returned: always
                    recovery:
                      description: Recoveries.
                      type: int
                      sample: 0
                      returned: always
                    crc:
                      description: CRC errors of flits.
                      type: int
                      sample: 0
                      returned: always
            fabric:
              description: 'What the fabric manager has made of it. All V(null) where it is part
                of no fabric. NVML: C(nvmlDeviceGetGpuFabricInfoV).'
              type: dict
              returned: always
              contains:
                state:
                  description: V(not_started), V(in_progress) or V(completed).
                  type: str
                  sample: completed
                  returned: always
                status:
                  description: 'How that ended: V(success), or the error in NVML''s words.
                    V(null) before it has.'
                  type: str
                  sample: success
                  returned: always
                clique_id:
                  description: Id of the clique in the cluster.
                  type: int
                  sample: 0
                  returned: always
                cluster_uuid:
                  description: UUID of the cluster of several machines. V(null) where it belongs
                    to none.
                  type: str
                  sample: 6b2f2c5e-1111-2222-3333-0123456789ab
                  returned: always
            processes:
              description: Processes that use it. Empty where there are none, V(null) where that
                cannot be told. One that computes and draws is here twice.
              type: list
              elements: dict
              returned: always
              contains:
                pid:
                  description: 'Process id. NVML: C(nvmlDeviceGetComputeRunningProcesses), and
                    C(nvmlDeviceGetMPSComputeRunningProcesses) for clients of MPS.'
                  type: int
                  sample: 812
                  returned: always
                type:
                  description: 'V(compute) or V(graphics). NVML:
                    C(nvmlDeviceGetGraphicsRunningProcesses).'
                  type: str
                  sample: compute
                  returned: always
                used_memory_mib:
                  description: 'Memory of the card that it uses, in MiB. NVML:
                    C(nvmlDeviceGetComputeRunningProcesses).'
                  type: int
                  sample: 1024
                  returned: always
                name:
                  description: Its name, from C(/proc/<pid>/comm).
                  type: str
                  sample: python3
                  returned: always
                unit:
                  description: The systemd unit that it runs in, from C(/proc/<pid>/cgroup).
                    V(null) for one in a container.
                  type: str
                  sample: trainer.service
                  returned: always
                container:
                  description: Id of the container that it runs in, from the same file.
                  type: str
                  sample: '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
                  returned: always
            inforom:
              description: Versions of what is stored on the board.
              type: dict
              returned: always
              contains:
                image:
                  description: 'Of the whole image. NVML: C(nvmlDeviceGetInforomImageVersion).'
                  type: str
                  sample: G520.0200.00.05
                  returned: always
                oem:
                  description: 'Of the OEM object. NVML: C(nvmlDeviceGetInforomVersion).'
                  type: str
                  sample: '2.1'
                  returned: always
                ecc:
                  description: 'Of the ECC object. NVML: C(nvmlDeviceGetInforomVersion).'
                  type: str
                  sample: '7.16'
                  returned: always
                power:
                  description: 'Of the power object. NVML: C(nvmlDeviceGetInforomVersion).'
                  type: str
                  sample: '1.0'
                  returned: always
        driver:
          description: The driver, what is about it and what holds it.
          returned: when O(gather_subset) asks for it
          type: dict
          contains:
            loaded:
              description: Version of the loaded kernel module from C(/proc/driver/nvidia/version);
                V(null) where none is loaded.
              type: str
              sample: 580.95.05
              returned: always
            flavour:
              description: V(open) or V(proprietary), the kind of the loaded module, from the same file.
              type: str
              sample: open
              returned: always
            userland:
              description: Version of the libraries as NVML or nvidia-smi reports it, else from the file
                name of C(libnvidia-ml.so).
              type: str
              sample: 580.95.05
              returned: always
            on_disk:
              description: Version of the module that C(modinfo) finds for the running kernel. Its name
                is C(nvidia), or another one (Debian's C(nvidia-current)) where a line in
                C(/etc/modprobe.d) has that loaded in its place.
              type: str
              sample: 580.95.05
              returned: always
            on_disk_flavour:
              description: V(open) or V(proprietary), the kind of that module by its licence.
              type: str
              sample: open
              returned: always
            signer:
              description: Who signed that module, from C(modinfo); V(null) where it is not signed.
              type: str
              sample: DKMS module signing key
              returned: always
            next_boot:
              description: The module for the kernel that boots next, from C(modinfo -k).
              returned: always
              type: dict
              contains:
                kernel:
                  description: Release as in RV(ansible_facts.nvidia.platform.kernel.next_boot).
                  type: str
                  sample: 6.1.0-41-amd64
                  returned: always
                version:
                  description: Version of the module; V(null) where there is none and where the kernel
                    is not known.
                  type: str
                  sample: 580.95.05
                  returned: always
                flavour:
                  description: V(open) or V(proprietary) by its licence.
                  type: str
                  sample: open
                  returned: always
            mismatch:
              description:
                - Which parts contradict each other; V(null) where none do.
                - Compared are versions and flavours of the loaded module, the libraries, the modules on
                  disk for the running and for the next kernel, and the fabric manager and IMEX, which
                  must be of the driver's very version.
              type: str
              sample: the loaded kernel module is 570.211.01 but the libraries are 580.95.05
              returned: always
            branch:
              description: Branch of what is installed, which is the number before the first dot of
                RV(ansible_facts.nvidia.driver.on_disk), else of the libraries, else of the loaded
                module.
              type: str
              sample: '580'
              returned: always
            installed_by:
              description:
                - V(repo), by packages of NVIDIA's repository; V(distro), by packages of the
                  distribution; V(runfile), by NVIDIA's own installer; V(unknown), where the evidence
                  does not say. V(null) without a driver.
                - From the origins of packages of this version, and from what the installer leaves
                  behind (C(/var/lib/nvidia/log), C(/usr/bin/nvidia-uninstall)).
              type: str
              sample: repo
              returned: always
            installed_by_evidence:
              description: The evidence, in words.
              type: str
              sample: package libnvidia-ml1 580.95.05-1 from NVIDIA
              returned: always
            modules:
              description:
                - Loaded kernel modules of NVIDIA GPUs by name, from C(/sys/module). Besides NVIDIA's
                  these are C(nouveau), C(nova*) and C(gdrdrv), and C(mlx5_core) and C(ib_umad), through
                  which the switches of NVLink 5 are reached.
                - Each value holds C(refcount) (how many use it; V(null) where the kernel does not tell)
                  and C(used_by) (names of the modules among them).
              returned: always
              type: dict
              sample:
                nvidia:
                  refcount: 12
                  used_by:
                    - nvidia_modeset
                    - nvidia_uvm
            parameters:
              description: Parameters that the loaded module runs with, from
                C(/proc/driver/nvidia/params), as text; empty without a module, V(null) where the file
                cannot be read.
              returned: always
              type: dict
              sample:
                EnableMSI: '1'
                RegistryDwords: ''
            holders:
              description: Processes that hold C(/dev/nvidia*) open, by pid, from C(/proc/*/fd); V(null)
                where other users' processes cannot be looked at, as without root.
              returned: always
              type: list
              elements: dict
              contains:
                pid:
                  description: Process id.
                  type: int
                  sample: 1234
                  returned: always
                name:
                  description: Name as the kernel has it, of at most 15 letters.
                  type: str
                  sample: nvidia-persiste
                  returned: always
                unit:
                  description: Unit of systemd that it belongs to, from its control group; V(null) in a
                    container and where there is none.
                  type: str
                  sample: nvidia-persistenced.service
                  returned: always
                container:
                  description: Id of its container, from its control group.
                  type: str
                  sample: 4e0e1c6f2d8a5b7c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e
                  returned: always
                devices:
                  description: Device files that it holds.
                  returned: always
                  type: list
                  elements: str
                  sample:
                    - /dev/nvidia0
                    - /dev/nvidiactl
            partitioned:
              description: Minor numbers of the GPUs that are divided into instances of MIG, from
                C(/proc/driver/nvidia/capabilities), which tells of them where NVML does not answer too.
              returned: always
              type: list
              elements: int
              sample: [0, 1]
            brought:
              description:
                - Packages that the role P(kubegpu.nodes.nvidia_driver#role) has brought onto the host, by its
                  record (C(/var/lib/kubegpu-nvidia-driver.packages)), as far as they are there; V(null) where
                  the record or the package database cannot be read.
                - Each value holds C(version) and C(whole), which is V(false) for what was unpacked and not
                  configured.
              returned: always
              type: dict
              sample:
                nvidia-open-580:
                  version: 580.95.05-1
                  whole: true
            persistenced:
              description: The persistence daemon C(nvidia-persistenced). It works with drivers of any
                version.
              returned: always
              type: dict
              contains:
                present:
                  description: Whether the program is there.
                  type: bool
                  returned: always
                version:
                  description: What the program tells with C(--version).
                  type: str
                  sample: 580.95.05
                  returned: always
                active:
                  description: Whether systemd has the service running; V(null) where systemd cannot be
                    asked.
                  type: bool
                  returned: always
                enabled:
                  description: Whether the service starts at boot; V(null) where systemd cannot be asked or
                    has no such unit.
                  type: bool
                  returned: always
            fabric_manager:
              description: The fabric manager C(nv-fabricmanager).
              returned: always
              type: dict
              contains:
                present:
                  description: Whether the program is there.
                  type: bool
                  returned: always
                version:
                  description: What the program tells with C(--version).
                  type: str
                  sample: 580.95.05
                  returned: always
                active:
                  description: Whether systemd has the service running; V(null) where systemd cannot be
                    asked.
                  type: bool
                  returned: always
                enabled:
                  description: Whether the service starts at boot; V(null) where systemd cannot be asked or
                    has no such unit.
                  type: bool
                  returned: always
            imex:
              description: The IMEX service C(nvidia-imex).
              returned: always
              type: dict
              contains:
                present:
                  description: Whether the program is there.
                  type: bool
                  returned: always
                version:
                  description: What the program tells with C(--version).
                  type: str
                  sample: 580.95.05
                  returned: always
                active:
                  description: Whether systemd has the service running; V(null) where systemd cannot be
                    asked.
                  type: bool
                  returned: always
                enabled:
                  description: Whether the service starts at boot; V(null) where systemd cannot be asked or
                    has no such unit.
                  type: bool
                  returned: always
        cuda:
          description: CUDA of the host.
          returned: when O(gather_subset) asks for it
          type: dict
          contains:
            driver_limit:
              description: Newest CUDA version that the running driver serves. From NVML.
              type: str
              sample: '13.0'
              returned: always
            default:
              description: Where C(/usr/local/cuda) leads to.
              type: str
              sample: /usr/local/cuda-13.0
              returned: always
            toolkits:
              description: Toolkits below C(/usr/local), oldest first.
              returned: always
              type: list
              elements: dict
              contains:
                version:
                  description: Version as the package names have it.
                  type: str
                  sample: '13.0'
                  returned: always
                release:
                  description: Version as C(version.json) or C(version.txt) has it.
                  type: str
                  sample: 13.0.2
                  returned: always
                patches:
                  description: Patches that C(version.txt) names. Since CUDA 10.1 there are none, but new releases.
                  type: list
                  elements: str
                  sample: [9.2.148.1]
                  returned: always
                path:
                  description: The folder.
                  type: str
                  sample: /usr/local/cuda-13.0
                  returned: always
            cudnn:
              description: cuDNN libraries. Those of packages by name, then those of files that no
                package accounts for, in the folders of the system's libraries and of CUDA toolkits.
              returned: always
              type: list
              elements: dict
              contains:
                version:
                  description: Version of the package without its revision, else from the library's
                    file name or from C(cudnn_version.h).
                  type: str
                  sample: 9.5.1.17
                  returned: always
                cuda_major:
                  description: Major version of CUDA that it is built for, by the package's name or
                    version or by the toolkit's folder.
                  type: int
                  sample: 12
                  returned: always
                package:
                  description: Name of the package; V(null) where it came without one.
                  type: str
                  sample: libcudnn9-cuda-12
                  returned: always
                path:
                  description: The library or else the header; V(null) for a package.
                  type: str
                  sample: /usr/local/cuda-11.8/lib64/libcudnn.so.8.6.0
                  returned: always
        packages:
          description:
            - Installed packages of the driver, of CUDA, of container runtimes and the kubelet by
              name, from C(dpkg-query) or C(rpm).
            - A package of a foreign architecture has the name V(name:architecture) on Debian and
              its relatives.
            - Each value holds C(version) (with epoch and revision), C(held) and C(origin).
            - C(held) tells whether the package is on hold in dpkg, or locked in the lists of dnf's and
              yum's versionlock (V(null) where these cannot be read). What the role
              P(kubegpu.nodes.nvidia_driver#role) locks itself is no hold, as its pins of apt are none.
            - C(origin) tells who offers this very version. From C(apt-cache policy), the C(Origin) of the
              repository's Release file, else its C(Label), else its host; V(null) where no repository
              offers it, and where apt has no cache of its lists. With rpm it is the package's vendor.
          returned: when O(gather_subset) asks for it
          type: dict
          sample:
            nvidia-open-580:
              version: 580.95.05-1
              held: false
              origin: NVIDIA
        package_sources:
          description:
            - Where apt gets packages from, a row for each address and suite, as C(/etc/apt/sources.list)
              and the files of C(/etc/apt/sources.list.d) say in either format; V(null) where there is no
              apt, or where a file could not be read. Entries for source packages, and those that are
              switched off, are left out.
          returned: when O(gather_subset) asks for it
          type: list
          elements: dict
          contains:
            file:
              description: The file that says so.
              type: str
              sample: /etc/apt/sources.list.d/debian.sources
              returned: always
            uri:
              description: The address, without credentials.
              type: str
              sample: http://deb.debian.org/debian
              returned: always
            suite:
              description: The suite, or a path that ends with a slash.
              type: str
              sample: bookworm-updates
              returned: always
            components:
              description: The components.
              type: list
              elements: str
              sample: [main, contrib]
              returned: always
            options:
              description: All other fields, by the names that they have in stanzas.
              type: dict
              sample:
                Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
              returned: always
            origin:
              description: C(Origin) of the repository's Release file, else its C(Label); V(null) as long as
                apt has not read its lists.
              type: str
              sample: Debian
              returned: always
            obstacle:
              description: Why the entry could not be written again from this row, V(null) where it could.
              type: str
              sample: its address has credentials in it
              returned: always
        dnf:
          description: What dnf was told, by its own files; V(null) where there is no dnf, or where a file of it
            could not be understood.
          returned: when O(gather_subset) asks for it
          type: dict
          contains:
            repositories:
              description: Repositories that are switched on, from the files of C(/etc/yum.repos.d).
              type: list
              elements: dict
              returned: always
              contains:
                id:
                  description: Its name in brackets.
                  type: str
                  sample: baseos
                  returned: always
                file:
                  description: The file that has it.
                  type: str
                  sample: /etc/yum.repos.d/rocky.repo
                  returned: always
                urls:
                  description: What C(baseurl), C(mirrorlist) and C(metalink) say, without credentials.
                  type: list
                  elements: str
                  sample: [https://developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64]
                  returned: always
            streams:
              description: The stream that is enabled of each module, from C(/etc/dnf/modules.d).
              type: dict
              sample:
                nvidia-driver: 580-open
              returned: always
            locks:
              description: Patterns that the role P(kubegpu.nodes.nvidia_driver#role) has written into
                C(/etc/dnf/plugins/versionlock.list). Those of others show as C(held) of their packages.
              type: list
              elements: str
              sample: [nvidia-driver-580.95.05-*.*]
              returned: always
        container:
          description: Container runtimes and NVIDIA's container toolkit.
          returned: when O(gather_subset) asks for it
          type: dict
          contains:
            toolkit:
              description: NVIDIA's container toolkit.
              returned: always
              type: dict
              contains:
                version:
                  description: What C(nvidia-ctk --version) tells; V(null) where it is not there.
                  type: str
                  sample: 1.20.0
                  returned: always
                config_digest:
                  description: SHA-256 in hex over path and content of
                    C(/etc/nvidia-container-runtime/config.toml); V(null) where it is not there or
                    cannot be read.
                  type: str
                  returned: always
            cdi:
              description: Specifications of devices (CDI) that runtimes can hand to containers.
              returned: always
              type: dict
              contains:
                specs:
                  description: The files C(*.json) and C(*.yaml) in C(/etc/cdi) and C(/var/run/cdi).
                  returned: always
                  type: list
                  elements: dict
                  contains:
                    path:
                      description: The file.
                      type: str
                      sample: /var/run/cdi/nvidia.yaml
                      returned: always
                    kind:
                      description: Vendor and class of its devices.
                      type: str
                      sample: nvidia.com/gpu
                      returned: always
                    devices:
                      description: Names of its devices.
                      returned: always
                      type: list
                      elements: str
                      sample:
                        - '0'
                        - all
                    ok:
                      description: Whether it was understood. YAML is read in the block style that
                        C(nvidia-ctk) writes; another shape is not guessed at, and
                        RV(ansible_facts.nvidia.sources) says where it begins.
                      type: bool
                      returned: always
            containerd:
              description: containerd. All but C(present) is V(null) where it is not there.
              returned: always
              type: dict
              contains:
                present:
                  description: Whether the program is there.
                  type: bool
                  returned: always
                version:
                  description: What C(containerd --version) tells.
                  type: str
                  sample: 1.6.20
                  returned: always
                active:
                  description: Whether systemd has the service running; V(null) where systemd cannot
                    be asked.
                  type: bool
                  returned: always
                config_path:
                  description: The config file, from the command line of the running service, else
                    the usual one. It need not exist.
                  type: str
                  sample: /etc/containerd/config.toml
                  returned: always
                config_digest:
                  description: SHA-256 in hex over the paths and contents of the config files that count
                    (imported ones too); V(null) where there is none or one cannot be read.
                  type: str
                  returned: always
                config_text:
                  description: The file's text; empty where there is no file. V(null) where it
                    cannot be read, is larger than 64 KiB or holds registry credentials;
                    RV(ansible_facts.nvidia.sources) then says which.
                  type: str
                  returned: always
                schema:
                  description: Schema version that the file declares; 1 where it declares none;
                    V(null) without a file.
                  type: int
                  sample: 2
                  returned: always
                runtimes:
                  description:
                    - Runtimes that the CRI plugin offers, by name, in effect as C(containerd config
                      dump) tells.
                    - Each holds C(type), C(binary) (V(null) where the type's own is used) and
                      C(systemd_cgroup).
                  returned: always
                  type: dict
                  sample:
                    nvidia:
                      type: io.containerd.runc.v2
                      binary: /usr/bin/nvidia-container-runtime
                      systemd_cgroup: true
                default_runtime:
                  description: Name of the default runtime in effect.
                  type: str
                  sample: runc
                  returned: always
                cdi_enabled:
                  description: Whether the CRI plugin takes CDI devices; V(null) where this version
                    has no such switch.
                  type: bool
                  returned: always
                disabled_plugins:
                  description: Plugins that the config switches off.
                  type: list
                  elements: str
                  sample:
                    - cri
                  returned: always
            docker:
              description: Docker's daemon. All but C(present) is V(null) where it is not there.
              returned: always
              type: dict
              contains:
                present:
                  description: Whether the program is there.
                  type: bool
                  returned: always
                version:
                  description: What C(dockerd --version) tells.
                  type: str
                  sample: 28.2.2
                  returned: always
                active:
                  description: Whether systemd has the service running; V(null) where systemd cannot be
                    asked.
                  type: bool
                  returned: always
                config_path:
                  description: The config file, from the command line of the running service, else the
                    usual one. It need not exist.
                  type: str
                  sample: /etc/docker/daemon.json
                  returned: always
                config_digest:
                  description: SHA-256 in hex over the paths and contents of the config files that
                    count; V(null) where there is none or one cannot be read.
                  type: str
                  returned: always
                runtimes:
                  description:
                    - Runtimes that C(daemon.json) and the command line of the running daemon add to
                      Docker's own, by name.
                    - Each holds C(type) and C(binary), each V(null) where the files do not say. V(null)
                      where a file is not understood.
                  returned: always
                  type: dict
                  sample:
                    nvidia:
                      type: null
                      binary: nvidia-container-runtime
                default_runtime:
                  description: Name of the default runtime that they set; V(null) where they set none
                    and Docker takes its own.
                  type: str
                  sample: nvidia
                  returned: always
            crio:
              description: CRI-O. All but C(present) is V(null) where it is not there.
              returned: always
              type: dict
              contains:
                present:
                  description: Whether the program is there.
                  type: bool
                  returned: always
                version:
                  description: What C(crio --version) tells.
                  type: str
                  sample: 1.33.1
                  returned: always
                active:
                  description: Whether systemd has the service running; V(null) where systemd cannot be
                    asked.
                  type: bool
                  returned: always
                config_path:
                  description: The config file, from the command line of the running service, else the
                    usual one. It need not exist.
                  type: str
                  sample: /etc/crio/crio.conf
                  returned: always
                config_digest:
                  description: SHA-256 in hex over the paths and contents of the config files that count
                    (drop-ins too); V(null) where there is none or one cannot be read.
                  type: str
                  returned: always
                runtimes:
                  description:
                    - Runtimes that its config file and then the files of C(crio.conf.d) name, by name;
                      a later file's runtime replaces an earlier one.
                    - Each holds C(type) and C(binary), each V(null) where the files do not say. V(null)
                      where a file is not understood.
                  returned: always
                  type: dict
                  sample:
                    nvidia:
                      type: oci
                      binary: /usr/bin/nvidia-container-runtime
                default_runtime:
                  description: Name of the default runtime that they set; V(null) where they set none
                    and CRI-O takes its own.
                  type: str
                  sample: nvidia
                  returned: always
        kubelet:
          description: The kubelet. All but C(present) and C(node_name) is V(null) or empty where it is
            not there.
          returned: when O(gather_subset) asks for it
          type: dict
          contains:
            present:
              description: Whether the program is there.
              type: bool
              returned: always
            version:
              description: What C(kubelet --version) tells.
              type: str
              sample: 1.36.3
              returned: always
            active:
              description: Whether systemd has the service running; V(null) where systemd cannot be
                asked.
              type: bool
              returned: always
            started_by:
              description: How it is started.
              returned: always
              type: dict
              contains:
                unit:
                  description: Its unit, where systemd knows it.
                  type: str
                  sample: kubelet.service
                  returned: always
                arguments:
                  description: Options of the running kubelet by name, each with its last value. Only
                    options whose values are known to hold no secret.
                  returned: always
                  type: dict
                  sample:
                    config: /var/lib/kubelet/config.yaml
                    node-ip: 10.0.0.5
            files:
              description: Files that exist of those that say how it is started, from systemd; these are
                the unit, its drop-ins and the files of its environment. V(null) without a kubelet.
              returned: always
              type: list
              elements: str
              sample:
                - /usr/lib/systemd/system/kubelet.service
                - /var/lib/kubelet/kubeadm-flags.env
            config_path:
              description: The config file, from the command line of the running service, else where
                kubeadm puts it. It need not exist.
              type: str
              sample: /var/lib/kubelet/config.yaml
              returned: always
            config_text:
              description: The file's text; empty where there is no file. V(null) where it cannot be
                read, is larger than 64 KiB or holds credentials; RV(ansible_facts.nvidia.sources) then
                says which.
              type: str
              returned: always
            cgroup_driver:
              description:
                - V(systemd) or V(cgroupfs) as the command line says, else the config file and
                  C(--config-dir); V(null) where neither says and where a file is not understood.
                - A kubelet that asks its runtime for the driver, as newer ones do, takes the runtime's
                  word instead.
              type: str
              sample: systemd
              returned: always
            feature_gates:
              description: Feature gates that command line, config file and C(--config-dir) switch, by
                name; all others are at their defaults. V(null) where a file is not understood.
              returned: always
              type: dict
              sample:
                DynamicResourceAllocation: true
            runtime_endpoint:
              description: Socket of the container runtime, from the same places.
              type: str
              sample: unix:///run/containerd/containerd.sock
              returned: always
            node_name:
              description: Name of the node; C(--hostname-override) of the running kubelet, else the
                host's name in small letters.
              type: str
              sample: gpu-1
              returned: always
        files:
          description:
            - SHA-256 in hex of the config files that the roles of this collection write or merge,
              and of their neighbours, by path.
            - V(null) for a file that is there and cannot be read.
          returned: when O(gather_subset) asks for it
          type: dict
          sample:
            /etc/containerd/config.toml:
              e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        sources:
          description:
            - What became of each source, by name. C(ok) is V(true) where it answered and was
              understood (that nothing is there is an answer too), V(false) where not, V(null) where
              it was not asked. C(reason) says why it is not V(true).
            - 'C(platform): os-release. C(kernels): the kernels and their modules on disk. C(next_boot): the
              boot loader. C(secure_boot): its EFI variable. C(virtualization): C(systemd-detect-virt).
              C(cgroups): C(/sys/fs/cgroup). C(filesystems): C(statvfs). C(pci): sysfs. C(pci_ids): names of
              devices. C(nvlink_bridges): product data of InfiniBand devices. C(nvml): pynvml. C(nvidia_smi_xml),
              C(nvidia_smi): its XML and CSV formats. C(proc_gpus): C(/proc/driver/nvidia/gpus).
              C(cuda_limit): libnvidia-ml. C(proc): C(/proc/driver/nvidia/version). C(libraries): file
              names of libnvidia-ml. C(modinfo), C(packages), C(containerd), C(docker), C(crio), C(toolkit),
              C(kubelet): the programs of these names and their files. C(package_sources):
              apt''s files. C(dnf): those of dnf. C(modinfo_next_boot): C(modinfo) for the
              kernel that boots next. C(systemd): C(systemctl show). C(persistenced), C(fabric_manager),
              C(imex): these programs. C(modules), C(parameters), C(holders): the kernel''s files. C(runfile):
              the log of NVIDIA''s installer. C(record): what the role nvidia_driver has written down.
              C(origins): C(apt-cache), or rpm itself. C(holds): the lists of
              versionlock, where there is rpm. C(cdi): the specifications. C(cuda): C(/usr/local/cuda*). C(cudnn):
              the packages. C(files): the digests.'
          returned: always
          type: dict
          sample:
            nvml:
              ok: false
              reason: the Python module pynvml is not there
            pci:
              ok: true
              reason: null
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.gather import SUBSETS, gather
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

ARGUMENT_SPEC: dict[str, t.Any] = {
    "gather_subset": {"type": "list", "elements": "str", "choices": ["all", *SUBSETS], "default": ["all"]},
}


def run(params: dict[str, t.Any], host: Host) -> dict[str, t.Any]:
    return {"ansible_facts": {"nvidia": gather(host, params["gather_subset"])}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module.params, Host())
    except KubeGpuError as exc:
        module.fail_json(msg=str(exc), **exc.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
