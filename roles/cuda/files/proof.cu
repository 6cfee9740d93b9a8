// Copyright (c) 2026, the kubegpu.nodes authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Asks each GPU what it is and lets it compute: the toolkit, the driver and the cards work together if this ends with 0.
#include <cstdio>
#include <cuda_runtime.h>

static const int COUNT = 1000;

__global__ void squares(int *numbers)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < COUNT)
        numbers[i] = i * i;
}

static int failed(const char *what, cudaError_t error)
{
    if (error != cudaSuccess)
        std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
    return error != cudaSuccess;
}

static int compute(int device)
{
    static int numbers[COUNT];
    int *there = NULL;
    if (failed("cudaSetDevice", cudaSetDevice(device)) || failed("cudaMalloc", cudaMalloc((void **)&there, sizeof numbers)))
        return 1;
    squares<<<(COUNT + 255) / 256, 256>>>(there);
    if (failed("kernel", cudaGetLastError()) ||
        failed("cudaMemcpy", cudaMemcpy(numbers, there, sizeof numbers, cudaMemcpyDeviceToHost)) ||
        failed("cudaFree", cudaFree(there)))
        return 1;
    for (int i = 0; i < COUNT; i++)
        if (numbers[i] != i * i) {
            std::fprintf(stderr, "GPU %d says that %d * %d is %d\n", device, i, i, numbers[i]);
            return 1;
        }
    return 0;
}

int main()
{
    int count = 0;
    if (failed("cudaGetDeviceCount", cudaGetDeviceCount(&count)))
        return 1;
    for (int device = 0; device < count; device++) {
        cudaDeviceProp found;
        if (failed("cudaGetDeviceProperties", cudaGetDeviceProperties(&found, device)) || compute(device))
            return 1;
        std::printf("GPU %d: %s, compute capability %d.%d\n", device, found.name, found.major, found.minor);
    }
    return count > 0 ? 0 : 1;
}
