/* What OpenCL's error numbers are called, and what they mean to the person at the keyboard. */
#include "device/opencl_int.h"

#define CL_ERROR_MAP(X)                                                                                              \
    X(DEVICE_NOT_FOUND, -1) X(DEVICE_NOT_AVAILABLE, -2) X(COMPILER_NOT_AVAILABLE, -3)                                \
    X(MEM_OBJECT_ALLOCATION_FAILURE, -4) X(OUT_OF_RESOURCES, -5) X(OUT_OF_HOST_MEMORY, -6)                           \
    X(PROFILING_INFO_NOT_AVAILABLE, -7) X(MEM_COPY_OVERLAP, -8) X(IMAGE_FORMAT_MISMATCH, -9)                         \
    X(IMAGE_FORMAT_NOT_SUPPORTED, -10) X(BUILD_PROGRAM_FAILURE, -11) X(MAP_FAILURE, -12)                             \
    X(MISALIGNED_SUB_BUFFER_OFFSET, -13) X(EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, -14)                           \
    X(COMPILE_PROGRAM_FAILURE, -15) X(LINKER_NOT_AVAILABLE, -16) X(LINK_PROGRAM_FAILURE, -17)                        \
    X(DEVICE_PARTITION_FAILED, -18) X(KERNEL_ARG_INFO_NOT_AVAILABLE, -19)                                            \
    X(INVALID_VALUE, -30) X(INVALID_DEVICE_TYPE, -31) X(INVALID_PLATFORM, -32) X(INVALID_DEVICE, -33)                \
    X(INVALID_CONTEXT, -34) X(INVALID_QUEUE_PROPERTIES, -35) X(INVALID_COMMAND_QUEUE, -36) X(INVALID_HOST_PTR, -37)  \
    X(INVALID_MEM_OBJECT, -38) X(INVALID_IMAGE_FORMAT_DESCRIPTOR, -39) X(INVALID_IMAGE_SIZE, -40)                    \
    X(INVALID_SAMPLER, -41) X(INVALID_BINARY, -42) X(INVALID_BUILD_OPTIONS, -43) X(INVALID_PROGRAM, -44)             \
    X(INVALID_PROGRAM_EXECUTABLE, -45) X(INVALID_KERNEL_NAME, -46) X(INVALID_KERNEL_DEFINITION, -47)                 \
    X(INVALID_KERNEL, -48) X(INVALID_ARG_INDEX, -49) X(INVALID_ARG_VALUE, -50) X(INVALID_ARG_SIZE, -51)              \
    X(INVALID_KERNEL_ARGS, -52) X(INVALID_WORK_DIMENSION, -53) X(INVALID_WORK_GROUP_SIZE, -54)                       \
    X(INVALID_WORK_ITEM_SIZE, -55) X(INVALID_GLOBAL_OFFSET, -56) X(INVALID_EVENT_WAIT_LIST, -57)                     \
    X(INVALID_EVENT, -58) X(INVALID_OPERATION, -59) X(INVALID_GL_OBJECT, -60) X(INVALID_BUFFER_SIZE, -61)            \
    X(INVALID_MIP_LEVEL, -62) X(INVALID_GLOBAL_WORK_SIZE, -63) X(INVALID_PROPERTY, -64)                              \
    X(INVALID_IMAGE_DESCRIPTOR, -65) X(INVALID_COMPILER_OPTIONS, -66) X(INVALID_LINKER_OPTIONS, -67)                 \
    X(INVALID_DEVICE_PARTITION_COUNT, -68) X(PLATFORM_NOT_FOUND_KHR, -1001)

const char *gs__cl_error_name(cl_int err)
{
    static _Thread_local char other[32];

    switch (err) {
#define X(name, number) \
    case number: return "CL_" #name;
        CL_ERROR_MAP(X)
#undef X
    }
    snprintf(other, sizeof other, "OpenCL error %d", (int)err);
    return other;
}

gs_status gs__cl_fail(const gs_device *d, cl_int err, const char *what, ...)
{
    char text[512], used[32], total[32];
    va_list ap;

    va_start(ap, what);
    vsnprintf(text, sizeof text, what, ap);
    va_end(ap);
    gs_bytes_text(used, (double)d->allocated);
    gs_bytes_text(total, (double)d->info.memory);
    switch (err) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE: /* drivers allocate at first use, so this may come from a launch or
                                            * a write */
        return gs_fail(GS_ENOMEM, "device \"%s\" (driver %s): %s: the driver has no memory for a buffer (%s of the device's %s are asked for by this "
                       "process); use a smaller batch, or stop other programs that use the device", d->info.name, d->info.driver, text, used, total);
    case CL_OUT_OF_HOST_MEMORY:
        return gs_fail(GS_ENOMEM, "device \"%s\" (driver %s): %s: the driver ran out of host memory", d->info.name, d->info.driver, text);
    case CL_OUT_OF_RESOURCES:
        return gs_fail(GS_EDEVICE, "device \"%s\" (driver %s): %s: CL_OUT_OF_RESOURCES (a kernel was stopped or failed, or memory ran out; %s of %s "
                       "are asked for by this process)", d->info.name, d->info.driver, text, used, total);
    case CL_DEVICE_NOT_AVAILABLE:
        return gs_fail(GS_EDEVICE, "device \"%s\" (driver %s): %s: the device is no longer available", d->info.name, d->info.driver, text);
    case CL_BUILD_PROGRAM_FAILURE: case CL_COMPILER_NOT_AVAILABLE: case CL_INVALID_BUILD_OPTIONS: case CL_INVALID_KERNEL_NAME:
        return gs_fail(GS_EBUILD, "device \"%s\" (driver %s): %s: %s", d->info.name, d->info.driver, text, gs__cl_error_name(err));
    default:
        return gs_fail(GS_EDEVICE, "device \"%s\" (driver %s): %s: %s", d->info.name, d->info.driver, text, gs__cl_error_name(err));
    }
}
