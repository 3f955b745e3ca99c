/* The stand-in for NVIDIA's libraries (fixtures/fake_nvidia.c), loaded from beside the test program. */
#ifndef GS_TEST_FAKE_CUDA_H
#define GS_TEST_FAKE_CUDA_H

#include "device/device.h"

struct fake_state; /* fixtures/fake_nvidia.h */

/* Makes the CUDA driver find the stand-in, with an empty cache for programs; before anything else asks for
 * devices. Says why and returns false when that does not work.
 *   fake   what it counts, and which faults it shows
 *   list   its n devices, three; freed with free() */
bool gs_test_cuda_start(struct fake_state **fake, gs_device_info **list, int *n);

#endif
