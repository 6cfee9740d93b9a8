/*
 * A simulated libnvidia-ml.so.1: enough of NVML for nvidia-smi, NVIDIA's device plugin, GPU feature discovery, the container
 * toolkit and pynvml to work on a machine without a GPU. The GPUs come from a description file (hardware.h), the driver's
 * version is fixed when this is compiled (DRIVER_VERSION, CUDA_VERSION), the loaded module's is read from /proc. ROOT is
 * what every path begins with: nothing, but for tests.
 * Functions of nvml.h that are not here answer NVML_ERROR_NOT_SUPPORTED (see _rig/nvml.py, absent_functions).
 */
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#pragma GCC visibility push(default)
#include <nvml.h>
#pragma GCC visibility pop

#include "hardware.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The container toolkit mounts a driver's gsp*.bin files into containers, so this description is the same there. */
#define DESCRIPTION ROOT "/lib/firmware/nvidia/" DRIVER_VERSION "/gsp_simulated.bin"
#define LOADED_VERSION ROOT "/proc/driver/nvidia/version"
#define CONTROL_NODE ROOT "/dev/nvidiactl"
#define MIB 1048576ULL

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int users;
static struct hardware hardware;

/* ---- beginning and end -------------------------------------------------------------------------------------------- */

/* A container does not see /proc/driver: there, as nothing can be compared, nothing mismatches. */
static bool module_mismatches(void)
{
    FILE *file = fopen(LOADED_VERSION, "re");
    if (file == NULL)
        return false;
    char line[256] = "";
    bool same = fgets(line, sizeof line, file) != NULL && strstr(line, " " DRIVER_VERSION " ") != NULL;
    fclose(file);
    return !same;
}

static nvmlReturn_t connect_driver(void)
{
    if (access(CONTROL_NODE, F_OK) != 0)
        return NVML_ERROR_DRIVER_NOT_LOADED;
    if (module_mismatches())
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    return hardware_read(DESCRIPTION, &hardware) ? NVML_SUCCESS : NVML_ERROR_UNKNOWN;
}

nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    pthread_mutex_lock(&lock);
    nvmlReturn_t result = users > 0 ? NVML_SUCCESS : connect_driver();
    if (result == NVML_SUCCESS)
        users++;
    pthread_mutex_unlock(&lock);
    return result;
}

nvmlReturn_t nvmlInit_v2(void)
{
    return nvmlInitWithFlags(0);
}

nvmlReturn_t nvmlInit(void)
{
    return nvmlInitWithFlags(0);
}

nvmlReturn_t nvmlShutdown(void)
{
    pthread_mutex_lock(&lock);
    nvmlReturn_t result = users > 0 ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
    if (users > 0)
        users--;
    pthread_mutex_unlock(&lock);
    return result;
}

const char *nvmlErrorString(nvmlReturn_t result)
{
    static const struct {
        nvmlReturn_t result;
        const char *text;
    } texts[] = {
        {NVML_SUCCESS, "Success"},
        {NVML_ERROR_UNINITIALIZED, "Uninitialized"},
        {NVML_ERROR_INVALID_ARGUMENT, "Invalid Argument"},
        {NVML_ERROR_NOT_SUPPORTED, "Not Supported"},
        {NVML_ERROR_NO_PERMISSION, "Insufficient Permissions"},
        {NVML_ERROR_NOT_FOUND, "Not Found"},
        {NVML_ERROR_INSUFFICIENT_SIZE, "Insufficient Size"},
        {NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"},
        {NVML_ERROR_TIMEOUT, "Timeout"},
        {NVML_ERROR_FUNCTION_NOT_FOUND, "Function Not Found"},
        {NVML_ERROR_GPU_IS_LOST, "GPU is lost"},
        {NVML_ERROR_LIB_RM_VERSION_MISMATCH, "Driver/library version mismatch"},
        {NVML_ERROR_ARGUMENT_VERSION_MISMATCH, "Argument version mismatch"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].result == result)
            return texts[i].text;
    return "Unknown Error";
}

/* ---- helpers ------------------------------------------------------------------------------------------------------ */

static nvmlReturn_t put_text(char *target, size_t length, const char *text)
{
    if (target == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (text[0] == '\0')
        return NVML_ERROR_NOT_SUPPORTED;
    if (strlen(text) >= length)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(target, text);
    return NVML_SUCCESS;
}

static nvmlReturn_t check(nvmlDevice_t device)
{
    if (users == 0)
        return NVML_ERROR_UNINITIALIZED;
    for (unsigned int i = 0; i < hardware.count; i++)
        if (device.handle == &hardware.gpus[i])
            return NVML_SUCCESS;
    return NVML_ERROR_INVALID_ARGUMENT;
}

static unsigned int index_of(nvmlDevice_t device)
{
    return (unsigned int)(device.handle - hardware.gpus);
}

/* Every getter begins like this: a sound handle and a place for the answer. */
#define REQUIRE(device, answer)                                                                                        \
    do {                                                                                                               \
        nvmlReturn_t checked = check(device);                                                                          \
        if (checked != NVML_SUCCESS)                                                                                   \
            return checked;                                                                                            \
        if ((answer) == NULL)                                                                                          \
            return NVML_ERROR_INVALID_ARGUMENT;                                                                        \
    } while (0)

/* Getters of one text or one number, of which NVML has many. The expression sees `gpu`. */
#define GET_TEXT(function, field)                                                                                      \
    nvmlReturn_t function(nvmlDevice_t device, char *answer, unsigned int length)                                      \
    {                                                                                                                  \
        REQUIRE(device, answer);                                                                                       \
        return put_text(answer, length, device.handle->field);                                                         \
    }
#define GET(function, type, expression)                                                                                \
    nvmlReturn_t function(nvmlDevice_t device, type *answer)                                                           \
    {                                                                                                                  \
        REQUIRE(device, answer);                                                                                       \
        const struct nvmlDevice_st *gpu = device.handle;                                                               \
        (void)gpu;                                                                                                     \
        *answer = (type)(expression);                                                                                  \
        return NVML_SUCCESS;                                                                                           \
    }

/* ---- system ------------------------------------------------------------------------------------------------------- */

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    return users > 0 ? put_text(version, length, DRIVER_VERSION) : NVML_ERROR_UNINITIALIZED;
}

/* Answers without nvmlInit too: nvidia-smi names this version when library and module mismatch. */
nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
    char text[NVML_SYSTEM_NVML_VERSION_BUFFER_SIZE];
    snprintf(text, sizeof text, "%d.%s", CUDA_VERSION / 1000, DRIVER_VERSION);
    return put_text(version, length, text);
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
    if (version == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *version = CUDA_VERSION;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return nvmlSystemGetCudaDriverVersion(version);
}

nvmlReturn_t nvmlSystemGetHicVersion(unsigned int *count, nvmlHwbcEntry_t *entries)
{
    (void)entries;
    *count = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlUnitGetCount(unsigned int *count)
{
    *count = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGetExcludedDeviceCount(unsigned int *count)
{
    *count = 0;
    return NVML_SUCCESS;
}

/*
 * nvidia-smi's private door. It wants a table of functions, whose first word is the table's size in bytes, and takes every
 * function beyond that size for absent: an empty table satisfies it.
 */
__attribute__((visibility("default"))) nvmlReturn_t nvmlInternalGetExportTable(const void **table, const void *id);

nvmlReturn_t nvmlInternalGetExportTable(const void **table, const void *id)
{
    static const size_t empty = sizeof empty;
    (void)id;
    *table = &empty;
    return NVML_SUCCESS;
}

/* ---- finding a GPU ------------------------------------------------------------------------------------------------ */

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
    if (users == 0)
        return NVML_ERROR_UNINITIALIZED;
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = hardware.count;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int *count)
{
    return nvmlDeviceGetCount_v2(count);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    if (users == 0)
        return NVML_ERROR_UNINITIALIZED;
    if (device == NULL || index >= hardware.count)
        return NVML_ERROR_INVALID_ARGUMENT;
    device->handle = &hardware.gpus[index];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)
{
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

typedef bool match_fn(const struct nvmlDevice_st *gpu, const char *wanted);

static nvmlReturn_t find(match_fn *matches, const char *wanted, nvmlDevice_t *device)
{
    if (users == 0)
        return NVML_ERROR_UNINITIALIZED;
    if (wanted == NULL || device == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    for (unsigned int i = 0; i < hardware.count; i++) {
        if (matches(&hardware.gpus[i], wanted)) {
            device->handle = &hardware.gpus[i];
            return NVML_SUCCESS;
        }
    }
    return NVML_ERROR_NOT_FOUND;
}

static bool has_uuid(const struct nvmlDevice_st *gpu, const char *wanted)
{
    return strcmp(gpu->uuid, wanted) == 0;
}

static bool has_serial(const struct nvmlDevice_st *gpu, const char *wanted)
{
    return strcmp(gpu->serial, wanted) == 0;
}

/* domain:bus:device.function; the domain may be left out or have any number of digits. */
static bool parse_address(const char *text, unsigned int address[3])
{
    address[0] = 0;
    return sscanf(text, "%x:%x:%x.", &address[0], &address[1], &address[2]) == 3 ||
           sscanf(text, "%x:%x.", &address[1], &address[2]) == 2;
}

static bool has_address(const struct nvmlDevice_st *gpu, const char *wanted)
{
    unsigned int own[3], other[3];
    return parse_address(gpu->address, own) && parse_address(wanted, other) && memcmp(own, other, sizeof own) == 0;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    return find(has_uuid, uuid, device);
}

nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)
{
    return find(has_serial, serial, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *address, nvmlDevice_t *device)
{
    return find(has_address, address, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *address, nvmlDevice_t *device)
{
    return find(has_address, address, device);
}

/* ---- what it is --------------------------------------------------------------------------------------------------- */

static nvmlDeviceArchitecture_t architecture(const struct nvmlDevice_st *gpu)
{
    static const struct {
        unsigned int from;
        nvmlDeviceArchitecture_t architecture;
    } table[] = {
        {100, NVML_DEVICE_ARCH_BLACKWELL}, {90, NVML_DEVICE_ARCH_HOPPER}, {89, NVML_DEVICE_ARCH_ADA},
        {80, NVML_DEVICE_ARCH_AMPERE},     {75, NVML_DEVICE_ARCH_TURING}, {70, NVML_DEVICE_ARCH_VOLTA},
        {60, NVML_DEVICE_ARCH_PASCAL},     {50, NVML_DEVICE_ARCH_MAXWELL},
    };
    unsigned long long capability = gpu->compute_major * 10 + gpu->compute_minor;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (capability >= table[i].from)
            return table[i].architecture;
    return NVML_DEVICE_ARCH_UNKNOWN;
}

GET_TEXT(nvmlDeviceGetName, name)
GET_TEXT(nvmlDeviceGetUUID, uuid)
GET_TEXT(nvmlDeviceGetSerial, serial)
GET_TEXT(nvmlDeviceGetVbiosVersion, vbios)
GET_TEXT(nvmlDeviceGetBoardPartNumber, part_number)
GET_TEXT(nvmlDeviceGetInforomImageVersion, inforom)
GET(nvmlDeviceGetIndex, unsigned int, index_of(device))
GET(nvmlDeviceGetModuleId, unsigned int, gpu->minor + 1)
GET(nvmlDeviceGetMinorNumber, unsigned int, gpu->minor)
GET(nvmlDeviceGetBrand, nvmlBrandType_t, NVML_BRAND_NVIDIA)
GET(nvmlDeviceGetArchitecture, nvmlDeviceArchitecture_t, architecture(gpu))
GET(nvmlDeviceGetNumGpuCores, unsigned int, gpu->cores)
GET(nvmlDeviceGetMemoryBusWidth, unsigned int, gpu->memory_bus_width)
GET(nvmlDeviceGetMultiGpuBoard, unsigned int, 0)
GET(nvmlDeviceGetBusType, nvmlBusType_t, NVML_BUS_TYPE_PCIE)

nvmlReturn_t nvmlDeviceGetBoardId(nvmlDevice_t device, unsigned int *board)
{
    REQUIRE(device, board);
    unsigned int address[3] = {0};
    parse_address(device.handle->address, address);
    *board = address[1] << 8 | address[2] << 3;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    REQUIRE(device, major);
    *major = (int)device.handle->compute_major;
    *minor = (int)device.handle->compute_minor;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetInforomVersion(nvmlDevice_t device, nvmlInforomObject_t object, char *version, unsigned int length)
{
    REQUIRE(device, version);
    static const char *const versions[NVML_INFOROM_COUNT] = {[NVML_INFOROM_OEM] = "2.1", [NVML_INFOROM_ECC] = "7.16"};
    if (object >= NVML_INFOROM_COUNT || versions[object] == NULL)
        return NVML_ERROR_NOT_SUPPORTED;
    return put_text(version, length, versions[object]);
}

nvmlReturn_t nvmlDeviceValidateInforom(nvmlDevice_t device)
{
    return check(device);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    REQUIRE(device, pci);
    const struct nvmlDevice_st *gpu = device.handle;
    unsigned int address[3] = {0};
    parse_address(gpu->address, address);
    memset(pci, 0, sizeof *pci);
    pci->domain = address[0];
    pci->bus = address[1];
    pci->device = address[2];
    pci->pciDeviceId = (unsigned int)gpu->pci_device;
    pci->pciSubSystemId = (unsigned int)gpu->pci_subsystem;
    snprintf(pci->busId, sizeof pci->busId, NVML_DEVICE_PCI_BUS_ID_FMT, address[0], address[1], address[2]);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, NVML_DEVICE_PCI_BUS_ID_LEGACY_FMT, address[0] & 0xffff,
             address[1] & 0xff, address[2] & 0xff);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    return nvmlDeviceGetPciInfo_v3(device, pci);
}

nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    return nvmlDeviceGetPciInfo_v3(device, pci);
}

GET(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, gpu->pcie_generation)
GET(nvmlDeviceGetGpuMaxPcieLinkGeneration, unsigned int, gpu->pcie_generation)
GET(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, gpu->pcie_generation)
GET(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, gpu->pcie_width)
GET(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, gpu->pcie_width)
GET(nvmlDeviceGetPcieReplayCounter, unsigned int, 0)
GET(nvmlDeviceGetPcieLinkMaxSpeed, unsigned int, 1U << (gpu->pcie_generation > 0 ? gpu->pcie_generation - 1 : 0))

nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int *value)
{
    (void)counter;
    REQUIRE(device, value);
    *value = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char *version)
{
    REQUIRE(device, version);
    return put_text(version, NVML_GSP_FIRMWARE_VERSION_BUF_SIZE, DRIVER_VERSION);
}

nvmlReturn_t nvmlDeviceGetGspFirmwareMode(nvmlDevice_t device, unsigned int *enabled, unsigned int *by_default)
{
    REQUIRE(device, enabled);
    *enabled = *by_default = 1;
    return NVML_SUCCESS;
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    REQUIRE(device, memory);
    memory->total = device.handle->memory_mib * MIB;
    memory->used = device.handle->memory_reserved_mib * MIB;
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
    memory->used = 0;
    memory->free = memory->total - memory->reserved;
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

/* ---- modes -------------------------------------------------------------------------------------------------------- */

GET(nvmlDeviceGetComputeMode, nvmlComputeMode_t, NVML_COMPUTEMODE_DEFAULT)
GET(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
GET(nvmlDeviceGetDisplayMode, nvmlEnableState_t, NVML_FEATURE_DISABLED)
GET(nvmlDeviceGetDisplayActive, nvmlEnableState_t, NVML_FEATURE_DISABLED)
GET(nvmlDeviceGetAccountingMode, nvmlEnableState_t, NVML_FEATURE_DISABLED)
GET(nvmlDeviceGetAccountingBufferSize, unsigned int, 4000)
GET(nvmlDeviceGetVirtualizationMode, nvmlGpuVirtualizationMode_t, NVML_GPU_VIRTUALIZATION_MODE_NONE)
GET(nvmlDeviceIsMigDeviceHandle, unsigned int, 0)

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
    REQUIRE(device, count);
    *count = device.handle->mig_capable ? 7 : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    REQUIRE(device, current);
    if (!device.handle->mig_capable)
        return NVML_ERROR_NOT_SUPPORTED;
    *current = NVML_DEVICE_MIG_DISABLE;
    if (pending != NULL)
        *pending = NVML_DEVICE_MIG_DISABLE;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig_device)
{
    (void)index;
    REQUIRE(device, mig_device);
    return device.handle->mig_capable ? NVML_ERROR_NOT_FOUND : NVML_ERROR_NOT_SUPPORTED;
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
    (void)counter;
    REQUIRE(device, errors);
    if (!device.handle->ecc_capable)
        return NVML_ERROR_NOT_SUPPORTED;
    bool corrected = type == NVML_MEMORY_ERROR_TYPE_CORRECTED;
    *errors = corrected ? device.handle->ecc_corrected : device.handle->ecc_uncorrected;
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

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected, unsigned int *uncorrected,
                                       unsigned int *pending, unsigned int *failed)
{
    REQUIRE(device, corrected);
    if (device.handle->compute_major < 8)
        return NVML_ERROR_NOT_SUPPORTED;
    *corrected = *pending = *failed = 0;
    *uncorrected = (unsigned int)device.handle->remapped_rows;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                       unsigned long long *addresses)
{
    (void)cause, (void)addresses;
    REQUIRE(device, count);
    *count = 0;
    return device.handle->compute_major < 8 ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

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

/* ---- power, clocks, load: an idle machine ------------------------------------------------------------------------- */

GET(nvmlDeviceGetPowerUsage, unsigned int, gpu->power_watts * 1000)
GET(nvmlDeviceGetPowerManagementMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
GET(nvmlDeviceGetPowerManagementLimit, unsigned int, gpu->power_limit_watts * 1000)
GET(nvmlDeviceGetEnforcedPowerLimit, unsigned int, gpu->power_limit_watts * 1000)
GET(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, gpu->power_limit_watts * 1000)
GET(nvmlDeviceGetPerformanceState, nvmlPstates_t, NVML_PSTATE_0)
GET(nvmlDeviceGetPowerState, nvmlPstates_t, NVML_PSTATE_0)
GET(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, nvmlClocksEventReasonGpuIdle)
GET(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, nvmlClocksEventReasonGpuIdle)
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

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    REQUIRE(device, values);
    for (int i = 0; i < count; i++)
        values[i].nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

/* ---- processes: none ---------------------------------------------------------------------------------------------- */

#define GET_PROCESSES(function, type)                                                                                  \
    nvmlReturn_t function(nvmlDevice_t device, unsigned int *count, type *processes)                                   \
    {                                                                                                                  \
        (void)processes;                                                                                               \
        REQUIRE(device, count);                                                                                        \
        *count = 0;                                                                                                    \
        return NVML_SUCCESS;                                                                                           \
    }
GET_PROCESSES(nvmlDeviceGetComputeRunningProcesses, nvmlProcessInfo_v1_t)
GET_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, nvmlProcessInfo_v2_t)
GET_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, nvmlProcessInfo_t)
GET_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, nvmlProcessInfo_v1_t)
GET_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlProcessInfo_v2_t)
GET_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlProcessInfo_t)
GET_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses, nvmlProcessInfo_v1_t)
GET_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, nvmlProcessInfo_v2_t)
GET_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, nvmlProcessInfo_t)

/* ---- topology ----------------------------------------------------------------------------------------------------- */

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t first, nvmlDevice_t second, nvmlGpuTopologyLevel_t *level)
{
    REQUIRE(first, level);
    REQUIRE(second, level);
    *level = first.handle->numa_node == second.handle->numa_node ? NVML_TOPOLOGY_NODE : NVML_TOPOLOGY_SYSTEM;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t first, nvmlDevice_t second, nvmlGpuP2PCapsIndex_t capability,
                                    nvmlGpuP2PStatus_t *status)
{
    REQUIRE(first, status);
    REQUIRE(second, status);
    bool supported = capability != NVML_P2P_CAPS_INDEX_NVLINK || first.handle->nvlinks > 0;
    *status = supported ? NVML_P2P_STATUS_OK : NVML_P2P_STATUS_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceOnSameBoard(nvmlDevice_t first, nvmlDevice_t second, int *same)
{
    REQUIRE(first, same);
    REQUIRE(second, same);
    *same = first.handle == second.handle;
    return NVML_SUCCESS;
}

/* The set of NUMA nodes or CPUs near a GPU, as a bit mask. The simulated machine's CPUs are near every GPU. */
nvmlReturn_t nvmlDeviceGetMemoryAffinity(nvmlDevice_t device, unsigned int size, unsigned long *nodes, nvmlAffinityScope_t scope)
{
    (void)scope;
    REQUIRE(device, nodes);
    memset(nodes, 0, size * sizeof *nodes);
    if (size > 0)
        nodes[0] = 1UL << device.handle->numa_node;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned int size, unsigned long *cpus)
{
    REQUIRE(device, cpus);
    memset(cpus, 0, size * sizeof *cpus);
    const unsigned long bits = sizeof *cpus * CHAR_BIT;
    const unsigned long online = (unsigned long)sysconf(_SC_NPROCESSORS_ONLN);
    for (unsigned long cpu = 0; cpu < online && cpu / bits < size; cpu++)
        cpus[cpu / bits] |= 1UL << cpu % bits;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCpuAffinityWithinScope(nvmlDevice_t device, unsigned int size, unsigned long *cpus, nvmlAffinityScope_t scope)
{
    (void)scope;
    return nvmlDeviceGetCpuAffinity(device, size, cpus);
}

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *active)
{
    REQUIRE(device, active);
    if (device.handle->nvlinks == 0)
        return NVML_ERROR_NOT_SUPPORTED;
    if (link >= device.handle->nvlinks)
        return NVML_ERROR_INVALID_ARGUMENT;
    *active = NVML_FEATURE_ENABLED;
    return NVML_SUCCESS;
}

/* No multi-node fabric: what a single HGX or PCIe machine without one says. */
nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *info)
{
    REQUIRE(device, info);
    memset(info, 0, sizeof *info);
    info->state = NVML_GPU_FABRIC_STATE_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfoV_t *info)
{
    REQUIRE(device, info);
    if (info->version != nvmlGpuFabricInfo_v2 && info->version != nvmlGpuFabricInfo_v3)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    memset(info->clusterUuid, 0, sizeof info->clusterUuid);
    info->status = NVML_SUCCESS;
    info->cliqueId = 0;
    info->state = NVML_GPU_FABRIC_STATE_NOT_SUPPORTED;
    info->healthMask = 0;
    return NVML_SUCCESS;
}

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
