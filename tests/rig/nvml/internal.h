/* What the parts of the simulated NVML share: NVIDIA's header, the state of the library, and the form of a getter. */
#ifndef KUBEGPU_RIG_INTERNAL_H
#define KUBEGPU_RIG_INTERNAL_H

#define NVML_NO_UNVERSIONED_FUNC_DEFS
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#pragma GCC visibility push(default)
#include <nvml.h>
#pragma GCC visibility pop

#include "hardware.h"

#include <stddef.h>

#define MIB 1048576ULL

extern struct hardware hardware;
extern unsigned int users; /* how often nvmlInit was called without nvmlShutdown */

/* Whether a handle is one of a GPU or MIG device. On one whose `state` is `hang` this never returns. */
nvmlReturn_t check(nvmlDevice_t device);

/* Answers a text into the caller's space. A text that the description does not have is not supported. */
nvmlReturn_t put_text(char *target, size_t length, const char *text);

/* domain:bus:device.function; the domain may be left out or have any number of digits. */
bool parse_address(const char *text, unsigned int address[3]);

unsigned long long memory_used_mib(const struct nvmlDevice_st *gpu);

/* The fields of nvmlDeviceGetFieldValues that are about NVLink. */
nvmlReturn_t nvlink_field(const struct nvmlDevice_st *gpu, unsigned int id, unsigned int link, unsigned long long *answer);

/* Every getter begins like this: a sound handle and a place for the answer. */
#define REQUIRE(device, answer)                                                                                        \
    do {                                                                                                               \
        nvmlReturn_t checked = check(device);                                                                          \
        if (checked != NVML_SUCCESS)                                                                                   \
            return checked;                                                                                            \
        if ((answer) == NULL)                                                                                          \
            return NVML_ERROR_INVALID_ARGUMENT;                                                                        \
    } while (0)

/* Getters of one text or one number, of which NVML has many. The expressions see `gpu`. */
#define GET_TEXT(function, field)                                                                                      \
    nvmlReturn_t function(nvmlDevice_t device, char *answer, unsigned int length)                                      \
    {                                                                                                                  \
        REQUIRE(device, answer);                                                                                       \
        return put_text(answer, length, device.handle->field);                                                         \
    }
#define GET_IF(function, type, supported, expression)                                                                  \
    nvmlReturn_t function(nvmlDevice_t device, type *answer)                                                           \
    {                                                                                                                  \
        REQUIRE(device, answer);                                                                                       \
        const struct nvmlDevice_st *gpu = device.handle;                                                               \
        (void)gpu;                                                                                                     \
        if (!(supported))                                                                                              \
            return NVML_ERROR_NOT_SUPPORTED;                                                                           \
        *answer = (type)(expression);                                                                                  \
        return NVML_SUCCESS;                                                                                           \
    }
#define GET(function, type, expression) GET_IF(function, type, true, expression)

#endif
