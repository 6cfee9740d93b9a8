/* What runs on the simulated GPUs: the processes that their description names, which put no load on them. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- processes ---------------------------------------------------------------------------------------------------- */

static const unsigned int NO_INSTANCE = 0xFFFFFFFF;

unsigned long long memory_used_mib(const struct nvmlDevice_st *gpu)
{
    unsigned long long used = 0;
    for (unsigned int i = 0; i < gpu->process_count; i++)
        used += gpu->processes[i].memory_mib;
    return used;
}

static void fill_v1(nvmlProcessInfo_v1_t *answer, const struct process *process)
{
    answer->pid = process->pid;
    answer->usedGpuMemory = process->memory_mib * MIB;
}

static void fill_v2(nvmlProcessInfo_v2_t *answer, const struct process *process)
{
    answer->pid = process->pid;
    answer->usedGpuMemory = process->memory_mib * MIB;
    answer->gpuInstanceId = answer->computeInstanceId = NO_INSTANCE;
}

/* As many as the caller has room for; how many there are in any case. */
#define GET_PROCESSES(function, type, fill, wanted)                                                                    \
    nvmlReturn_t function(nvmlDevice_t device, unsigned int *count, type *answers)                                     \
    {                                                                                                                  \
        REQUIRE(device, count);                                                                                        \
        const unsigned int room = answers != NULL ? *count : 0;                                                        \
        const struct nvmlDevice_st *gpu = device.handle;                                                               \
        *count = 0;                                                                                                    \
        for (unsigned int i = 0; i < gpu->process_count; i++) {                                                        \
            const struct process *process = &gpu->processes[i];                                                        \
            if (!(wanted))                                                                                             \
                continue;                                                                                              \
            if (*count < room)                                                                                         \
                fill(&answers[*count], process);                                                                       \
            ++*count;                                                                                                  \
        }                                                                                                              \
        return *count > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;                                            \
    }
GET_PROCESSES(nvmlDeviceGetComputeRunningProcesses, nvmlProcessInfo_v1_t, fill_v1, !process->graphics)
GET_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, nvmlProcessInfo_v2_t, fill_v2, !process->graphics)
GET_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, nvmlProcessInfo_t, fill_v2, !process->graphics)
GET_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, nvmlProcessInfo_v1_t, fill_v1, process->graphics)
GET_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlProcessInfo_v2_t, fill_v2, process->graphics)
GET_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlProcessInfo_t, fill_v2, process->graphics)
GET_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses, nvmlProcessInfo_v1_t, fill_v1, false)
GET_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, nvmlProcessInfo_v2_t, fill_v2, false)
GET_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, nvmlProcessInfo_t, fill_v2, false)

/* The command's path, as the kernel tells it of a process that there is. */
nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length)
{
    char path[256], command[4096];
    snprintf(path, sizeof path, ROOT "/proc/%u/cmdline", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NVML_ERROR_NOT_FOUND;
    command[fread(command, 1, sizeof command - 1, file)] = '\0';
    fclose(file);
    if (name == NULL || length == 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(name, length, "%s", command);
    return NVML_SUCCESS;
}

/* ---- load: none ---------------------------------------------------------------------------------------------------- */

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
    REQUIRE(device, utilization);
    utilization->gpu = utilization->memory = 0;
    return NVML_SUCCESS;
}

#define GET_CODEC_UTILIZATION(function)                                                                                \
    nvmlReturn_t function(nvmlDevice_t device, unsigned int *utilization, unsigned int *period)                        \
    {                                                                                                                  \
        REQUIRE(device, utilization);                                                                                  \
        *utilization = 0;                                                                                              \
        *period = 167000;                                                                                              \
        return NVML_SUCCESS;                                                                                           \
    }
GET_CODEC_UTILIZATION(nvmlDeviceGetEncoderUtilization)
GET_CODEC_UTILIZATION(nvmlDeviceGetDecoderUtilization)
GET_CODEC_UTILIZATION(nvmlDeviceGetJpgUtilization)
GET_CODEC_UTILIZATION(nvmlDeviceGetOfaUtilization)

/* ---- events: nothing ever happens --------------------------------------------------------------------------------- */

struct nvmlEventSet_st {
    unsigned long long registered;
};

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)
{
    if (users == 0)
        return NVML_ERROR_UNINITIALIZED;
    if (set == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    set->handle = calloc(1, sizeof *set->handle);
    return set->handle != NULL ? NVML_SUCCESS : NVML_ERROR_MEMORY;
}

GET(nvmlDeviceGetSupportedEventTypes, unsigned long long,
    nvmlEventTypeSingleBitEccError | nvmlEventTypeDoubleBitEccError | nvmlEventTypeXidCriticalError | nvmlEventTypeClock)

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set)
{
    REQUIRE(device, set.handle);
    set.handle->registered |= types;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int milliseconds)
{
    if (set.handle == NULL || data == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    const struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
    return NVML_ERROR_TIMEOUT;
}

nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int milliseconds)
{
    return nvmlEventSetWait_v2(set, data, milliseconds);
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set)
{
    free(set.handle);
    return NVML_SUCCESS;
}
