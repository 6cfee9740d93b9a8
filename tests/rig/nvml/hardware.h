/* What the simulated NVML knows about the machine: GPUs from a description file, as far as their device node exists. */
#ifndef KUBEGPU_RIG_HARDWARE_H
#define KUBEGPU_RIG_HARDWARE_H

#include <stdbool.h>

enum { MAX_GPUS = 16, MAX_MIGS = 7 * MAX_GPUS, MAX_SWITCHES = 8, MAX_PROCESSES = 32, TEXT_LENGTH = 96 };

struct process {
    unsigned int pid;
    bool graphics;
    unsigned long long memory_mib;
};

/*
 * NVML's handles point to this. Every field is a key of the description file; [card] gives the defaults of each [gpu N],
 * which gives those of each [mig N.M]. A key that is left out is 0 or empty.
 */
struct nvmlDevice_st {
    char name[TEXT_LENGTH], uuid[TEXT_LENGTH], serial[TEXT_LENGTH], address[TEXT_LENGTH];
    char vbios[TEXT_LENGTH], part_number[TEXT_LENGTH];
    char inforom[TEXT_LENGTH], inforom_oem[TEXT_LENGTH], inforom_ecc[TEXT_LENGTH], inforom_power[TEXT_LENGTH];
    char state[TEXT_LENGTH]; /* `lost`, `hang`, or healthy: see nvml.c */
    unsigned long long minor, numa_node;
    unsigned long long pci_device, pci_subsystem, pci_class;
    unsigned long long pcie_generation, pcie_width, pcie_generation_now, pcie_width_now, pcie_replays;
    unsigned long long compute_major, compute_minor, cores, memory_bus_width;
    unsigned long long memory_mib, memory_reserved_mib, bar1_mib;
    unsigned long long power_watts, power_limit_watts, power_min_watts, power_max_watts;
    unsigned long long clock_sm, clock_memory, clock_video, event_reasons;
    unsigned long long temperature, temperature_memory, temperature_slowdown, temperature_shutdown;
    unsigned long long mig_capable, ecc_capable;
    unsigned long long ecc_corrected, ecc_uncorrected; /* since the driver was loaded */
    unsigned long long ecc_corrected_before, ecc_uncorrected_before;
    unsigned long long remapped_corrected, remapped_rows, remap_pending, remap_failed;
    unsigned long long retired_single_bit, retired_double_bit, retired_pending;
    unsigned long long nvlinks, nvlinks_down, nvlink_version; /* how many, a bit mask, and as nvmlNvlinkVersion_t has it */
    unsigned long long nvlink_replays, nvlink_recoveries, nvlink_crc_errors;
    unsigned long long fabric_state, fabric_clique; /* NVML_GPU_FABRIC_STATE_* */
    char fabric_cluster[TEXT_LENGTH];
    char mig_profile[TEXT_LENGTH]; /* "1g.10gb" on a MIG device, empty on a GPU */
    unsigned long long gpu_instance, compute_instance, mig_slices;
    unsigned int process_count;
    struct process processes[MAX_PROCESSES]; /* a line `process = <pid> compute|graphics <MiB>` each */
};

struct hardware {
    unsigned int count, mig_count, switch_count;
    struct nvmlDevice_st gpus[MAX_GPUS], migs[MAX_MIGS], switches[MAX_SWITCHES];
};

/*
 * Reads the description and keeps the GPUs whose /dev/nvidia<minor> exists. False where there is no description.
 * `changes` names a file with [gpu N] sections of the same keys, which may be missing: what has become of single GPUs.
 */
bool hardware_read(const char *path, const char *changes, struct hardware *hardware);

#endif
