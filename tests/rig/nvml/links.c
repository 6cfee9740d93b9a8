/* How the simulated GPUs are connected: PCIe, NVLink, the NVLink fabric, and their places on the board. */
#include "internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- PCIe --------------------------------------------------------------------------------------------------------- */

static void fill_pci(nvmlPciInfo_t *pci, const struct nvmlDevice_st *device)
{
    unsigned int address[3] = {0};
    parse_address(device->address, address);
    memset(pci, 0, sizeof *pci);
    pci->domain = address[0];
    pci->bus = address[1];
    pci->device = address[2];
    pci->pciDeviceId = (unsigned int)device->pci_device;
    pci->pciSubSystemId = (unsigned int)device->pci_subsystem;
    snprintf(pci->busId, sizeof pci->busId, NVML_DEVICE_PCI_BUS_ID_FMT, address[0], address[1], address[2]);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, NVML_DEVICE_PCI_BUS_ID_LEGACY_FMT, address[0] & 0xffff,
             address[1] & 0xff, address[2] & 0xff);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    REQUIRE(device, pci);
    fill_pci(pci, device.handle);
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
/* A link runs at its most, unless the description says otherwise. */
GET(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int,
    gpu->pcie_generation_now ? gpu->pcie_generation_now : gpu->pcie_generation)
GET(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, gpu->pcie_width)
GET(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, gpu->pcie_width_now ? gpu->pcie_width_now : gpu->pcie_width)
GET(nvmlDeviceGetPcieReplayCounter, unsigned int, gpu->pcie_replays)
GET(nvmlDeviceGetPcieLinkMaxSpeed, unsigned int, 1U << (gpu->pcie_generation > 0 ? gpu->pcie_generation - 1 : 0))

nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int *value)
{
    (void)counter;
    REQUIRE(device, value);
    *value = 0;
    return NVML_SUCCESS;
}

/* ---- NVLink ------------------------------------------------------------------------------------------------------- */

static nvmlReturn_t check_link(const struct nvmlDevice_st *gpu, unsigned int link)
{
    if (gpu->nvlinks == 0)
        return NVML_ERROR_NOT_SUPPORTED;
    return link < gpu->nvlinks ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

static bool link_is_up(const struct nvmlDevice_st *gpu, unsigned int link)
{
    return (gpu->nvlinks_down >> link & 1) == 0;
}

/* All errors happened on the first link. From NVLink 5 on links count in other ways, which are not simulated. */
static nvmlReturn_t link_errors(const struct nvmlDevice_st *gpu, unsigned int link, unsigned long long errors,
                                unsigned long long *answer)
{
    nvmlReturn_t result = check_link(gpu, link);
    if (result == NVML_SUCCESS && gpu->nvlink_version >= NVML_NVLINK_VERSION_5_0)
        result = NVML_ERROR_NOT_SUPPORTED;
    if (result == NVML_SUCCESS)
        *answer = link == 0 ? errors : 0;
    return result;
}

nvmlReturn_t nvlink_field(const struct nvmlDevice_st *gpu, unsigned int id, unsigned int link, unsigned long long *answer)
{
    nvmlReturn_t result = check_link(gpu, link);
    switch (id) {
    case NVML_FI_DEV_NVLINK_LINK_COUNT:
        *answer = gpu->nvlinks;
        return NVML_SUCCESS;
    case NVML_FI_DEV_NVLINK_GET_STATE:
        *answer = result == NVML_SUCCESS && link_is_up(gpu, link);
        return result;
    case NVML_FI_DEV_NVLINK_GET_VERSION:
        *answer = result == NVML_SUCCESS ? gpu->nvlink_version : 0;
        return result;
    case NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY:
        return link_errors(gpu, link, gpu->nvlink_replays, answer);
    case NVML_FI_DEV_NVLINK_ERROR_DL_RECOVERY:
        return link_errors(gpu, link, gpu->nvlink_recoveries, answer);
    case NVML_FI_DEV_NVLINK_ERROR_DL_CRC:
        return link_errors(gpu, link, gpu->nvlink_crc_errors, answer);
    default:
        return NVML_ERROR_NOT_SUPPORTED;
    }
}

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *active)
{
    REQUIRE(device, active);
    nvmlReturn_t result = check_link(device.handle, link);
    if (result == NVML_SUCCESS)
        *active = link_is_up(device.handle, link) ? NVML_FEATURE_ENABLED : NVML_FEATURE_DISABLED;
    return result;
}

nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int *version)
{
    REQUIRE(device, version);
    nvmlReturn_t result = check_link(device.handle, link);
    if (result == NVML_SUCCESS)
        *version = (unsigned int)device.handle->nvlink_version;
    return result;
}

nvmlReturn_t nvmlDeviceGetNvLinkCapability(nvmlDevice_t device, unsigned int link, nvmlNvLinkCapability_t capability,
                                           unsigned int *answer)
{
    REQUIRE(device, answer);
    nvmlReturn_t result = check_link(device.handle, link);
    if (result == NVML_SUCCESS)
        *answer = capability != NVML_NVLINK_CAP_SLI_BRIDGE;
    return result;
}

/* Links lead to the NVSwitches in turn. A switch that is not on the PCI bus has no address there. */
nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
    REQUIRE(device, pci);
    nvmlReturn_t result = check_link(device.handle, link);
    if (result != NVML_SUCCESS)
        return result;
    if (hardware.switch_count == 0 || !link_is_up(device.handle, link))
        return NVML_ERROR_NOT_SUPPORTED;
    fill_pci(pci, &hardware.switches[link % hardware.switch_count]);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
    return nvmlDeviceGetNvLinkRemotePciInfo_v2(device, link, pci);
}

nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link, nvmlIntNvLinkDeviceType_t *type)
{
    REQUIRE(device, type);
    nvmlReturn_t result = check_link(device.handle, link);
    if (result == NVML_SUCCESS)
        *type = NVML_NVLINK_DEVICE_TYPE_SWITCH;
    return result;
}

nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link, nvmlNvLinkErrorCounter_t counter,
                                             unsigned long long *errors)
{
    REQUIRE(device, errors);
    const struct nvmlDevice_st *gpu = device.handle;
    const unsigned long long of_kind[NVML_NVLINK_ERROR_COUNT] = {
        [NVML_NVLINK_ERROR_DL_REPLAY] = gpu->nvlink_replays,
        [NVML_NVLINK_ERROR_DL_RECOVERY] = gpu->nvlink_recoveries,
        [NVML_NVLINK_ERROR_DL_CRC_FLIT] = gpu->nvlink_crc_errors,
    };
    if (counter >= NVML_NVLINK_ERROR_COUNT)
        return NVML_ERROR_INVALID_ARGUMENT;
    return link_errors(gpu, link, of_kind[counter], errors);
}

/* ---- fabric: as its manager left the GPUs ------------------------------------------------------------------------- */

static void fill_cluster(unsigned char uuid[NVML_GPU_FABRIC_UUID_LEN], const char *text)
{
    memset(uuid, 0, NVML_GPU_FABRIC_UUID_LEN);
    unsigned int byte, at = 0;
    while (at < NVML_GPU_FABRIC_UUID_LEN && *text != '\0') {
        if (*text == '-') {
            text++;
        } else if (sscanf(text, "%2x", &byte) == 1) {
            uuid[at++] = (unsigned char)byte;
            text += 2;
        } else {
            return;
        }
    }
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *info)
{
    REQUIRE(device, info);
    fill_cluster(info->clusterUuid, device.handle->fabric_cluster);
    info->status = NVML_SUCCESS;
    info->cliqueId = (unsigned int)device.handle->fabric_clique;
    info->state = (nvmlGpuFabricState_t)device.handle->fabric_state;
    return NVML_SUCCESS;
}

#define HEALTHY(what, value) NVML_GPU_FABRIC_HEALTH_MASK_##what##_##value << NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_##what

nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfoV_t *info)
{
    REQUIRE(device, info);
    if (info->version != nvmlGpuFabricInfo_v2 && info->version != nvmlGpuFabricInfo_v3)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    const struct nvmlDevice_st *gpu = device.handle;
    const bool complete = gpu->fabric_state == NVML_GPU_FABRIC_STATE_COMPLETED;
    const unsigned int healthy = HEALTHY(DEGRADED_BW, FALSE) | HEALTHY(ROUTE_RECOVERY, FALSE) |
                                 HEALTHY(ROUTE_UNHEALTHY, FALSE) | HEALTHY(ACCESS_TIMEOUT_RECOVERY, FALSE);
    fill_cluster(info->clusterUuid, gpu->fabric_cluster);
    info->status = NVML_SUCCESS;
    info->cliqueId = (unsigned int)gpu->fabric_clique;
    info->state = (nvmlGpuFabricState_t)gpu->fabric_state;
    info->healthMask = complete ? healthy : 0;
    if (info->version == nvmlGpuFabricInfo_v3) /* version 2 ends here */
        info->healthSummary = complete ? NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY : NVML_GPU_FABRIC_HEALTH_SUMMARY_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

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
