#include "hardware.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct field {
    const char *key;
    size_t offset;
    bool is_text;
};

#define TEXT(name) {#name, offsetof(struct nvmlDevice_st, name), true}
#define NUMBER(name) {#name, offsetof(struct nvmlDevice_st, name), false}

static const struct field fields[] = {
    TEXT(name), TEXT(uuid), TEXT(serial), TEXT(address), TEXT(vbios), TEXT(part_number), TEXT(inforom),
    NUMBER(minor), NUMBER(numa_node),
    NUMBER(pci_device), NUMBER(pci_subsystem), NUMBER(pci_class), NUMBER(pcie_generation), NUMBER(pcie_width),
    NUMBER(compute_major), NUMBER(compute_minor), NUMBER(cores), NUMBER(memory_bus_width),
    NUMBER(memory_mib), NUMBER(memory_reserved_mib), NUMBER(bar1_mib),
    NUMBER(power_watts), NUMBER(power_limit_watts), NUMBER(power_min_watts), NUMBER(power_max_watts),
    NUMBER(clock_sm), NUMBER(clock_memory), NUMBER(clock_video),
    NUMBER(temperature), NUMBER(temperature_slowdown), NUMBER(temperature_shutdown),
    NUMBER(mig_capable), NUMBER(ecc_capable), NUMBER(nvlinks),
    NUMBER(ecc_corrected), NUMBER(ecc_uncorrected), NUMBER(remapped_rows),
};

static void assign(struct nvmlDevice_st *gpu, const char *key, const char *value)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].key, key) != 0)
            continue;
        char *target = (char *)gpu + fields[i].offset;
        if (fields[i].is_text)
            snprintf(target, TEXT_LENGTH, "%s", value);
        else
            *(unsigned long long *)(void *)target = strtoull(value, NULL, 0);
    }
}

static bool node_exists(const struct nvmlDevice_st *gpu)
{
    char path[256];
    snprintf(path, sizeof path, ROOT "/dev/nvidia%llu", gpu->minor);
    return access(path, F_OK) == 0;
}

/* A [gpu N] section is complete when the next one begins or the file ends: only then is it known whether it counts. */
static void finish(struct hardware *hardware, bool in_gpu)
{
    if (in_gpu && hardware->count < MAX_GPUS && node_exists(&hardware->gpus[hardware->count]))
        hardware->count++;
}

bool hardware_read(const char *path, struct hardware *hardware)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;

    struct nvmlDevice_st card = {0}, ignored, *section = &ignored;
    bool in_gpu = false;
    char line[256], key[64], value[TEXT_LENGTH];
    hardware->count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '[') {
            finish(hardware, in_gpu);
            in_gpu = strncmp(line, "[gpu ", 5) == 0 && hardware->count < MAX_GPUS;
            section = in_gpu ? &hardware->gpus[hardware->count] : strncmp(line, "[card]", 6) == 0 ? &card : &ignored;
            if (in_gpu)
                *section = card;
        } else if (sscanf(line, " %63[a-z0-9_] = %95[^\n]", key, value) == 2) {
            assign(section, key, value);
        }
    }
    finish(hardware, in_gpu);
    fclose(file);
    return true;
}
