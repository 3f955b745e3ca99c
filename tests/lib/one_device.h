/* The device of a test program that uses one: opened before its first test and closed after the last, as the
 * group's setup and teardown. Include it once. */
#ifndef GS_TEST_ONE_DEVICE_H
#define GS_TEST_ONE_DEVICE_H

#include "device/device.h"

static gs_device *device;

static int open_device(void **state)
{
    (void)state;
    return gs_device_open(NULL, &device) == GS_OK ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    gs_device_close(device);
    device = NULL;
    return 0;
}

#endif
