/* What the simulated NVML knows about the machine: GPUs from a description file, as far as their device node exists. */
#ifndef KUBEGPU_RIG_HARDWARE_H
#define KUBEGPU_RIG_HARDWARE_H

#include <stdbool.h>

enum { MAX_GPUS = 16, TEXT_LENGTH = 96 };

/* NVML's handles point to this. Every field is a key of the description file; [card] gives the defaults of each [gpu N]. */
struct nvmlDevice_st {
    char name[TEXT_LENGTH], uuid[TEXT_LENGTH], serial[TEXT_LENGTH], address[TEXT_LENGTH];
    char vbios[TEXT_LENGTH], part_number[TEXT_LENGTH], inforom[TEXT_LENGTH];
    unsigned long long minor, numa_node;
    unsigned long long pci_device, pci_subsystem, pci_class, pcie_generation, pcie_width;
    unsigned long long compute_major, compute_minor, cores, memory_bus_width;
    unsigned long long memory_mib, memory_reserved_mib, bar1_mib;
    unsigned long long power_watts, power_limit_watts, power_min_watts, power_max_watts;
    unsigned long long clock_sm, clock_memory, clock_video;
    unsigned long long temperature, temperature_slowdown, temperature_shutdown;
    unsigned long long mig_capable, ecc_capable, nvlinks;
    unsigned long long ecc_corrected, ecc_uncorrected, remapped_rows;
};

struct hardware {
    unsigned int count;
    struct nvmlDevice_st gpus[MAX_GPUS];
};

/* Reads the description and keeps the GPUs whose /dev/nvidia<minor> exists. False where there is no description. */
bool hardware_read(const char *path, struct hardware *hardware);

#endif
