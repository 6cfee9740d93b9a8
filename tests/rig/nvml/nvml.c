/*
 * A simulated libnvidia-ml.so.1: enough of NVML for nvidia-smi, NVIDIA's device plugin, GPU feature discovery, the container
 * toolkit and pynvml to work on a machine without a GPU. The GPUs come from a description file (hardware.h), the driver's
 * version is fixed when this is compiled (DRIVER_VERSION, CUDA_VERSION), the loaded module's is read from /proc. ROOT is
 * what every path begins with: nothing, but for tests. This file is the library itself and what GPUs there are; health.c,
 * links.c and load.c are how they do.
 * Functions of nvml.h that are not here answer NVML_ERROR_NOT_SUPPORTED (see _rig/nvml.py, absent_functions).
 */
#include "internal.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The container toolkit mounts a driver's gsp*.bin files into containers, so this description is the same there. */
#define DESCRIPTION ROOT "/lib/firmware/nvidia/" DRIVER_VERSION "/gsp_simulated.bin"
/* Where a test says what has become of a GPU: `[gpu 2]`, then lines such as `state = lost`. Read by nvmlInit. */
#define CHANGES ROOT "/etc/kubegpu-rig/gpus.ini"
#define LOADED_VERSION ROOT "/proc/driver/nvidia/version"
#define CONTROL_NODE ROOT "/dev/nvidiactl"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
unsigned int users;
struct hardware hardware;

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
    return hardware_read(DESCRIPTION, CHANGES, &hardware) ? NVML_SUCCESS : NVML_ERROR_UNKNOWN;
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

nvmlReturn_t put_text(char *target, size_t length, const char *text)
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

static bool is_one_of(const struct nvmlDevice_st *device, const struct nvmlDevice_st *devices, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        if (device == &devices[i])
            return true;
    return false;
}

/* The GPU that a MIG device is a part of; a GPU itself. */
static const struct nvmlDevice_st *gpu_of(const struct nvmlDevice_st *device)
{
    for (unsigned int i = 0; i < hardware.count; i++)
        if (hardware.gpus[i].minor == device->minor)
            return &hardware.gpus[i];
    return device;
}

/* Among the GPUs; of a MIG device, among those of its GPU. */
static unsigned int index_of(const struct nvmlDevice_st *device)
{
    const struct nvmlDevice_st *gpu = gpu_of(device);
    if (device == gpu)
        return (unsigned int)(gpu - hardware.gpus);
    unsigned int index = 0;
    for (const struct nvmlDevice_st *mig = hardware.migs; mig < device; mig++)
        index += mig->minor == device->minor;
    return index;
}

nvmlReturn_t check(nvmlDevice_t device)
{
    if (users == 0)
        return NVML_ERROR_UNINITIALIZED;
    if (!is_one_of(device.handle, hardware.gpus, hardware.count) && !is_one_of(device.handle, hardware.migs, hardware.mig_count))
        return NVML_ERROR_INVALID_ARGUMENT;
    const char *state = gpu_of(device.handle)->state;
    while (strcmp(state, "hang") == 0)
        pause();
    return strcmp(state, "lost") == 0 ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
}

bool parse_address(const char *text, unsigned int address[3])
{
    address[0] = 0;
    return sscanf(text, "%x:%x:%x.", &address[0], &address[1], &address[2]) == 3 ||
           sscanf(text, "%x:%x.", &address[1], &address[2]) == 2;
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
 * function beyond that size for absent: an empty table satisfies it. What it would ask for there (processes, T.Limit
 * temperatures and a few more) it then calls "Uninitialized" or leaves out.
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
GET(nvmlDeviceGetIndex, unsigned int, index_of(gpu))
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
    const struct nvmlDevice_st *gpu = device.handle;
    const char *const versions[NVML_INFOROM_COUNT] = {
        [NVML_INFOROM_OEM] = gpu->inforom_oem,
        [NVML_INFOROM_ECC] = gpu->inforom_ecc,
        [NVML_INFOROM_POWER] = gpu->inforom_power,
    };
    if (object >= NVML_INFOROM_COUNT || versions[object] == NULL)
        return NVML_ERROR_NOT_SUPPORTED;
    return put_text(version, length, versions[object]);
}

nvmlReturn_t nvmlDeviceValidateInforom(nvmlDevice_t device)
{
    return check(device);
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

/* ---- modes -------------------------------------------------------------------------------------------------------- */

GET(nvmlDeviceGetComputeMode, nvmlComputeMode_t, NVML_COMPUTEMODE_DEFAULT)
GET(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
GET(nvmlDeviceGetDisplayMode, nvmlEnableState_t, NVML_FEATURE_DISABLED)
GET(nvmlDeviceGetDisplayActive, nvmlEnableState_t, NVML_FEATURE_DISABLED)
GET(nvmlDeviceGetAccountingMode, nvmlEnableState_t, NVML_FEATURE_DISABLED)
GET(nvmlDeviceGetAccountingBufferSize, unsigned int, 4000)
GET(nvmlDeviceGetVirtualizationMode, nvmlGpuVirtualizationMode_t, NVML_GPU_VIRTUALIZATION_MODE_NONE)

/* ---- MIG: as the description cuts a GPU; nothing can be cut or joined ------------------------------------------------ */

static unsigned int migs_of(const struct nvmlDevice_st *gpu)
{
    unsigned int count = 0;
    for (unsigned int i = 0; i < hardware.mig_count; i++)
        count += hardware.migs[i].minor == gpu->minor;
    return count;
}

static bool is_mig(const struct nvmlDevice_st *device)
{
    return device->mig_profile[0] != '\0';
}

GET(nvmlDeviceIsMigDeviceHandle, unsigned int, is_mig(gpu))
GET(nvmlDeviceGetMaxMigDeviceCount, unsigned int, gpu->mig_capable ? 7 : 0)
GET_IF(nvmlDeviceGetGpuInstanceId, unsigned int, is_mig(gpu), gpu->gpu_instance)
GET_IF(nvmlDeviceGetComputeInstanceId, unsigned int, is_mig(gpu), gpu->compute_instance)

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    REQUIRE(device, current);
    if (!device.handle->mig_capable)
        return NVML_ERROR_NOT_SUPPORTED;
    *current = migs_of(device.handle) > 0 ? NVML_DEVICE_MIG_ENABLE : NVML_DEVICE_MIG_DISABLE;
    if (pending != NULL)
        *pending = *current;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig_device)
{
    REQUIRE(device, mig_device);
    if (!device.handle->mig_capable)
        return NVML_ERROR_NOT_SUPPORTED;
    for (unsigned int i = 0; i < hardware.mig_count; i++) {
        if (hardware.migs[i].minor == device.handle->minor && index-- == 0) {
            mig_device->handle = &hardware.migs[i];
            return NVML_SUCCESS;
        }
    }
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig_device, nvmlDevice_t *device)
{
    REQUIRE(mig_device, device);
    if (!is_mig(mig_device.handle))
        return NVML_ERROR_INVALID_ARGUMENT;
    device->handle = &hardware.gpus[gpu_of(mig_device.handle) - hardware.gpus];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
    REQUIRE(device, attributes);
    const struct nvmlDevice_st *mig = device.handle;
    if (!is_mig(mig))
        return NVML_ERROR_NOT_SUPPORTED;
    memset(attributes, 0, sizeof *attributes);
    attributes->multiprocessorCount = (unsigned int)mig->mig_slices * 14; /* of an A100, the one card that is cut */
    attributes->sharedCopyEngineCount = (unsigned int)mig->mig_slices;
    attributes->gpuInstanceSliceCount = attributes->computeInstanceSliceCount = (unsigned int)mig->mig_slices;
    attributes->memorySizeMB = mig->memory_mib;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
    return nvmlDeviceGetAttributes_v2(device, attributes);
}
