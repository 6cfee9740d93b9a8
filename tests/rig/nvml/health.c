/* How the simulated GPUs are: memory, errors, temperature, power, clocks. */
#include "internal.h"

#include <string.h>

/* ---- memory ------------------------------------------------------------------------------------------------------- */

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    REQUIRE(device, memory);
    memory->total = device.handle->memory_mib * MIB;
    memory->used = (device.handle->memory_reserved_mib + memory_used_mib(device.handle)) * MIB;
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    REQUIRE(device, memory);
    if (memory->version != nvmlMemory_v2)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    memory->total = device.handle->memory_mib * MIB;
    memory->reserved = device.handle->memory_reserved_mib * MIB;
    memory->used = memory_used_mib(device.handle) * MIB;
    memory->free = memory->total - memory->reserved - memory->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *memory)
{
    REQUIRE(device, memory);
    memory->bar1Total = device.handle->bar1_mib * MIB;
    memory->bar1Used = MIB;
    memory->bar1Free = memory->bar1Total - memory->bar1Used;
    return NVML_SUCCESS;
}

/* ---- health ------------------------------------------------------------------------------------------------------- */

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending)
{
    REQUIRE(device, current);
    if (!device.handle->ecc_capable)
        return NVML_ERROR_NOT_SUPPORTED;
    *current = NVML_FEATURE_ENABLED;
    if (pending != NULL)
        *pending = NVML_FEATURE_ENABLED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDefaultEccMode(nvmlDevice_t device, nvmlEnableState_t *mode)
{
    return nvmlDeviceGetEccMode(device, mode, NULL);
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                         unsigned long long *errors)
{
    REQUIRE(device, errors);
    const struct nvmlDevice_st *gpu = device.handle;
    if (!gpu->ecc_capable)
        return NVML_ERROR_NOT_SUPPORTED;
    bool corrected = type == NVML_MEMORY_ERROR_TYPE_CORRECTED;
    *errors = corrected ? gpu->ecc_corrected : gpu->ecc_uncorrected;
    if (counter == NVML_AGGREGATE_ECC)
        *errors += corrected ? gpu->ecc_corrected_before : gpu->ecc_uncorrected_before;
    return NVML_SUCCESS;
}

/* All simulated errors happened in the GPU's memory. */
nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                             nvmlMemoryLocation_t location, unsigned long long *errors)
{
    nvmlReturn_t result = nvmlDeviceGetTotalEccErrors(device, type, counter, errors);
    if (result == NVML_SUCCESS && location != NVML_MEMORY_LOCATION_DRAM)
        *errors = 0;
    return result;
}

/* Pages are retired up to Turing, rows are remapped from Ampere on. */
static bool remaps_rows(const struct nvmlDevice_st *gpu)
{
    return gpu->compute_major >= 8;
}

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected, unsigned int *uncorrected,
                                       unsigned int *pending, unsigned int *failed)
{
    REQUIRE(device, corrected);
    const struct nvmlDevice_st *gpu = device.handle;
    if (!remaps_rows(gpu))
        return NVML_ERROR_NOT_SUPPORTED;
    *corrected = (unsigned int)gpu->remapped_corrected;
    *uncorrected = (unsigned int)gpu->remapped_rows;
    *pending = (unsigned int)gpu->remap_pending;
    *failed = (unsigned int)gpu->remap_failed;
    return NVML_SUCCESS;
}

/* A bank of a GPU without trouble has all its spare rows; each remapped row takes one of a bank's. */
nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device, nvmlRowRemapperHistogramValues_t *values)
{
    REQUIRE(device, values);
    const struct nvmlDevice_st *gpu = device.handle;
    if (!remaps_rows(gpu))
        return NVML_ERROR_NOT_SUPPORTED;
    const unsigned int banks = 640, touched = (unsigned int)(gpu->remapped_corrected + gpu->remapped_rows);
    memset(values, 0, sizeof *values);
    values->high = touched < banks ? touched : banks;
    values->max = banks - values->high;
    return NVML_SUCCESS;
}

static nvmlReturn_t retired_pages(const struct nvmlDevice_st *gpu, nvmlPageRetirementCause_t cause, unsigned int *count,
                                  unsigned long long *addresses)
{
    if (remaps_rows(gpu))
        return NVML_ERROR_NOT_SUPPORTED;
    const bool double_bit = cause == NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR;
    const unsigned int pages = (unsigned int)(double_bit ? gpu->retired_double_bit : gpu->retired_single_bit);
    const unsigned int room = addresses != NULL ? *count : 0;
    *count = pages;
    for (unsigned int i = 0; i < pages && i < room; i++)
        addresses[i] = ((unsigned long long)cause << 20) + i;
    return pages > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                       unsigned long long *addresses)
{
    REQUIRE(device, count);
    return retired_pages(device.handle, cause, count, addresses);
}

nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                          unsigned long long *addresses, unsigned long long *times)
{
    REQUIRE(device, count);
    const unsigned int room = *count;
    nvmlReturn_t result = retired_pages(device.handle, cause, count, addresses);
    if (result == NVML_SUCCESS && times != NULL)
        memset(times, 0, (*count < room ? *count : room) * sizeof *times);
    return result;
}

GET_IF(nvmlDeviceGetRetiredPagesPendingStatus, nvmlEnableState_t, !remaps_rows(gpu), gpu->retired_pending)

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *celsius)
{
    REQUIRE(device, celsius);
    if (sensor != NVML_TEMPERATURE_GPU)
        return NVML_ERROR_INVALID_ARGUMENT;
    *celsius = (unsigned int)device.handle->temperature;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *answer)
{
    REQUIRE(device, answer);
    if (answer->version != nvmlTemperature_v1)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    answer->temperature = (int)device.handle->temperature;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t threshold,
                                               unsigned int *celsius)
{
    REQUIRE(device, celsius);
    if (threshold == NVML_TEMPERATURE_THRESHOLD_SHUTDOWN)
        *celsius = (unsigned int)device.handle->temperature_shutdown;
    else if (threshold == NVML_TEMPERATURE_THRESHOLD_SLOWDOWN)
        *celsius = (unsigned int)device.handle->temperature_slowdown;
    else
        return NVML_ERROR_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

/* ---- power and clocks of an idle machine -------------------------------------------------------------------------- */

static unsigned long long event_reasons(const struct nvmlDevice_st *gpu)
{
    return gpu->event_reasons != 0 ? gpu->event_reasons : nvmlClocksEventReasonGpuIdle;
}

GET(nvmlDeviceGetPowerUsage, unsigned int, gpu->power_watts * 1000)
GET(nvmlDeviceGetPowerManagementMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
GET(nvmlDeviceGetPowerManagementLimit, unsigned int, gpu->power_limit_watts * 1000)
GET(nvmlDeviceGetEnforcedPowerLimit, unsigned int, gpu->power_limit_watts * 1000)
GET(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, gpu->power_max_watts * 1000) /* so on all these cards */
GET(nvmlDeviceGetPerformanceState, nvmlPstates_t, NVML_PSTATE_0)
GET(nvmlDeviceGetPowerState, nvmlPstates_t, NVML_PSTATE_0)
GET(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, event_reasons(gpu))
GET(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, event_reasons(gpu))
GET(nvmlDeviceGetSupportedClocksEventReasons, unsigned long long, nvmlClocksEventReasonAll)
GET(nvmlDeviceGetSupportedClocksThrottleReasons, unsigned long long, nvmlClocksEventReasonAll)

nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *min, unsigned int *max)
{
    REQUIRE(device, min);
    *min = (unsigned int)device.handle->power_min_watts * 1000;
    *max = (unsigned int)device.handle->power_max_watts * 1000;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *mhz)
{
    REQUIRE(device, mhz);
    const struct nvmlDevice_st *gpu = device.handle;
    if (type >= NVML_CLOCK_COUNT)
        return NVML_ERROR_INVALID_ARGUMENT;
    *mhz = (unsigned int)(type == NVML_CLOCK_MEM ? gpu->clock_memory : type == NVML_CLOCK_VIDEO ? gpu->clock_video : gpu->clock_sm);
    return NVML_SUCCESS;
}

/* Idle: memory runs at full clock on these cards, the rest at a fraction. */
nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *mhz)
{
    nvmlReturn_t result = nvmlDeviceGetMaxClockInfo(device, type, mhz);
    if (result == NVML_SUCCESS && type != NVML_CLOCK_MEM)
        *mhz /= 6;
    return result;
}

nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t type, nvmlClockId_t id, unsigned int *mhz)
{
    return id == NVML_CLOCK_ID_CURRENT ? nvmlDeviceGetClockInfo(device, type, mhz) : nvmlDeviceGetMaxClockInfo(device, type, mhz);
}

nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t device, nvmlClockType_t type, unsigned int *mhz)
{
    return nvmlDeviceGetMaxClockInfo(device, type, mhz);
}

nvmlReturn_t nvmlDeviceGetDefaultApplicationsClock(nvmlDevice_t device, nvmlClockType_t type, unsigned int *mhz)
{
    return nvmlDeviceGetMaxClockInfo(device, type, mhz);
}

/* ---- field values: the same once more, by number ------------------------------------------------------------------ */

static unsigned int pages_pending(const struct nvmlDevice_st *gpu)
{
    return gpu->retired_pending != 0;
}

static nvmlReturn_t health_field(const struct nvmlDevice_st *gpu, unsigned int id, unsigned long long *answer)
{
    const struct {
        unsigned int id;
        bool supported;
        unsigned long long value;
    } known[] = {
        {NVML_FI_DEV_ECC_CURRENT, gpu->ecc_capable, 1},
        {NVML_FI_DEV_ECC_PENDING, gpu->ecc_capable, 1},
        {NVML_FI_DEV_ECC_SBE_VOL_TOTAL, gpu->ecc_capable, gpu->ecc_corrected},
        {NVML_FI_DEV_ECC_DBE_VOL_TOTAL, gpu->ecc_capable, gpu->ecc_uncorrected},
        {NVML_FI_DEV_ECC_SBE_AGG_TOTAL, gpu->ecc_capable, gpu->ecc_corrected + gpu->ecc_corrected_before},
        {NVML_FI_DEV_ECC_DBE_AGG_TOTAL, gpu->ecc_capable, gpu->ecc_uncorrected + gpu->ecc_uncorrected_before},
        {NVML_FI_DEV_RETIRED_SBE, !remaps_rows(gpu), gpu->retired_single_bit},
        {NVML_FI_DEV_RETIRED_DBE, !remaps_rows(gpu), gpu->retired_double_bit},
        {NVML_FI_DEV_RETIRED_PENDING, !remaps_rows(gpu), pages_pending(gpu)},
        {NVML_FI_DEV_RETIRED_PENDING_SBE, !remaps_rows(gpu), 0},
        {NVML_FI_DEV_RETIRED_PENDING_DBE, !remaps_rows(gpu), pages_pending(gpu)},
        {NVML_FI_DEV_REMAPPED_COR, remaps_rows(gpu), gpu->remapped_corrected},
        {NVML_FI_DEV_REMAPPED_UNC, remaps_rows(gpu), gpu->remapped_rows},
        {NVML_FI_DEV_REMAPPED_PENDING, remaps_rows(gpu), gpu->remap_pending != 0},
        {NVML_FI_DEV_REMAPPED_FAILURE, remaps_rows(gpu), gpu->remap_failed != 0},
        {NVML_FI_DEV_MEMORY_TEMP, gpu->temperature_memory > 0, gpu->temperature_memory},
        {NVML_FI_DEV_PCIE_REPLAY_COUNTER, true, gpu->pcie_replays},
        {NVML_FI_DEV_PCIE_REPLAY_ROLLOVER_COUNTER, true, 0},
        {NVML_FI_DEV_POWER_AVERAGE, gpu->compute_major >= 8, gpu->power_watts * 1000},
        {NVML_FI_DEV_POWER_INSTANT, true, gpu->power_watts * 1000},
        {NVML_FI_DEV_POWER_MIN_LIMIT, true, gpu->power_min_watts * 1000},
        {NVML_FI_DEV_POWER_MAX_LIMIT, true, gpu->power_max_watts * 1000},
        {NVML_FI_DEV_POWER_DEFAULT_LIMIT, true, gpu->power_max_watts * 1000},
        {NVML_FI_DEV_POWER_CURRENT_LIMIT, true, gpu->power_limit_watts * 1000},
        {NVML_FI_DEV_POWER_REQUESTED_LIMIT, true, gpu->power_limit_watts * 1000},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].id == id && known[i].supported) {
            *answer = known[i].value;
            return NVML_SUCCESS;
        }
    }
    return NVML_ERROR_NOT_SUPPORTED;
}

/* Whose power is asked for: 0 the GPU's, else the module's or the memory's, which these cards do not tell apart. */
static bool is_other_scope(const nvmlFieldValue_t *value)
{
    return value->fieldId >= NVML_FI_DEV_POWER_AVERAGE && value->fieldId <= NVML_FI_DEV_POWER_REQUESTED_LIMIT &&
           value->scopeId != NVML_POWER_SCOPE_GPU;
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    REQUIRE(device, values);
    for (int i = 0; i < count; i++) {
        nvmlFieldValue_t *value = &values[i];
        unsigned long long answer = 0;
        value->nvmlReturn = is_other_scope(value) ? NVML_ERROR_NOT_SUPPORTED
                                                  : health_field(device.handle, value->fieldId, &answer);
        if (value->nvmlReturn == NVML_ERROR_NOT_SUPPORTED)
            value->nvmlReturn = nvlink_field(device.handle, value->fieldId, value->scopeId, &answer);
        value->timestamp = 0;
        value->latencyUsec = 0;
        value->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
        value->value.ullVal = answer; /* little endian: its lower half is uiVal too */
    }
    return NVML_SUCCESS;
}
