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
    TEXT(name), TEXT(uuid), TEXT(serial), TEXT(address), TEXT(vbios), TEXT(part_number),
    TEXT(inforom), TEXT(inforom_oem), TEXT(inforom_ecc), TEXT(inforom_power), TEXT(state),
    NUMBER(minor), NUMBER(numa_node), NUMBER(pci_device), NUMBER(pci_subsystem), NUMBER(pci_class),
    NUMBER(pcie_generation), NUMBER(pcie_width), NUMBER(pcie_generation_now), NUMBER(pcie_width_now),
    NUMBER(pcie_replays), NUMBER(compute_major), NUMBER(compute_minor), NUMBER(cores), NUMBER(memory_bus_width),
    NUMBER(memory_mib), NUMBER(memory_reserved_mib), NUMBER(bar1_mib),
    NUMBER(power_watts), NUMBER(power_limit_watts), NUMBER(power_min_watts),
    NUMBER(power_max_watts), NUMBER(clock_sm), NUMBER(clock_memory), NUMBER(clock_video), NUMBER(event_reasons),
    NUMBER(temperature), NUMBER(temperature_memory), NUMBER(temperature_slowdown), NUMBER(temperature_shutdown),
    NUMBER(mig_capable), NUMBER(ecc_capable), NUMBER(ecc_corrected), NUMBER(ecc_uncorrected),
    NUMBER(ecc_corrected_before), NUMBER(ecc_uncorrected_before),
    NUMBER(remapped_corrected), NUMBER(remapped_rows), NUMBER(remap_pending), NUMBER(remap_failed),
    NUMBER(retired_single_bit), NUMBER(retired_double_bit), NUMBER(retired_pending),
    NUMBER(nvlinks), NUMBER(nvlinks_down), NUMBER(nvlink_version),
    NUMBER(nvlink_replays), NUMBER(nvlink_recoveries), NUMBER(nvlink_crc_errors),
    NUMBER(fabric_state), NUMBER(fabric_clique), TEXT(fabric_cluster),
    TEXT(mig_profile), NUMBER(gpu_instance), NUMBER(compute_instance), NUMBER(mig_slices),
};

static void add_process(struct nvmlDevice_st *gpu, const char *value)
{
    struct process process = {0};
    char type[TEXT_LENGTH];
    if (gpu->process_count == MAX_PROCESSES ||
        sscanf(value, "%u %95s %llu", &process.pid, type, &process.memory_mib) != 3)
        return;
    process.graphics = strcmp(type, "graphics") == 0;
    gpu->processes[gpu->process_count++] = process;
}

static void assign(struct nvmlDevice_st *device, const char *key, const char *value)
{
    if (strcmp(key, "process") == 0)
        add_process(device, value);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].key, key) != 0)
            continue;
        char *target = (char *)device + fields[i].offset;
        if (fields[i].is_text)
            snprintf(target, TEXT_LENGTH, "%s", value);
        else
            *(unsigned long long *)(void *)target = strtoull(value, NULL, 0);
    }
}

static struct nvmlDevice_st *with_minor(struct hardware *hardware, unsigned int minor)
{
    for (unsigned int i = 0; i < hardware->count; i++)
        if (hardware->gpus[i].minor == minor)
            return &hardware->gpus[i];
    return NULL;
}

static struct nvmlDevice_st *added(struct nvmlDevice_st *devices, unsigned int *count, unsigned int most,
                                   const struct nvmlDevice_st *defaults)
{
    if (*count == most)
        return NULL;
    devices[*count] = *defaults;
    return &devices[(*count)++];
}

/* Where the lines below a section's title belong; NULL for a section that says nothing to us. */
typedef struct nvmlDevice_st *section_fn(struct hardware *hardware, const char *title);

static struct nvmlDevice_st *described(struct hardware *hardware, const char *title)
{
    static struct nvmlDevice_st card;
    unsigned int number, minor;
    if (strncmp(title, "[card]", 6) == 0) {
        memset(&card, 0, sizeof card);
        return &card;
    }
    if (sscanf(title, "[gpu %u]", &number) == 1)
        return added(hardware->gpus, &hardware->count, MAX_GPUS, &card);
    if (sscanf(title, "[switch %u]", &number) == 1)
        return added(hardware->switches, &hardware->switch_count, MAX_SWITCHES, &(struct nvmlDevice_st){0});
    if (sscanf(title, "[mig %u.%u]", &minor, &number) == 2 && with_minor(hardware, minor) != NULL)
        return added(hardware->migs, &hardware->mig_count, MAX_MIGS, with_minor(hardware, minor));
    return NULL;
}

static struct nvmlDevice_st *changed(struct hardware *hardware, const char *title)
{
    unsigned int minor;
    return sscanf(title, "[gpu %u]", &minor) == 1 ? with_minor(hardware, minor) : NULL;
}

static bool read_sections(const char *path, section_fn *section_of, struct hardware *hardware)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    struct nvmlDevice_st *section = NULL;
    char line[256], key[64], value[TEXT_LENGTH];
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '[')
            section = section_of(hardware, line);
        else if (section != NULL && sscanf(line, " %63[a-z0-9_] = %95[^\n]", key, value) == 2)
            assign(section, key, value);
    }
    fclose(file);
    return true;
}

static unsigned int keep_visible(struct nvmlDevice_st *devices, unsigned int count)
{
    unsigned int kept = 0;
    for (unsigned int i = 0; i < count; i++) {
        char path[256];
        snprintf(path, sizeof path, ROOT "/dev/nvidia%llu", devices[i].minor);
        if (access(path, F_OK) == 0)
            devices[kept++] = devices[i];
    }
    return kept;
}

bool hardware_read(const char *path, const char *changes, struct hardware *hardware)
{
    memset(hardware, 0, sizeof *hardware);
    if (!read_sections(path, described, hardware))
        return false;
    read_sections(changes, changed, hardware);
    hardware->count = keep_visible(hardware->gpus, hardware->count);
    hardware->mig_count = keep_visible(hardware->migs, hardware->mig_count);
    return true;
}
