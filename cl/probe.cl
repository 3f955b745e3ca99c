/* What Gesso asks a device that its driver does not tell (src/device/loops.c).
 *
 * probe_loop: out[0] = state of the generator s <- 1664525 s + 1013904223 (mod 2^32) after `turns` steps from 1. Its period is 2^32, so the
 * state tells how many steps were made. One item. */
__kernel void probe_loop(__global uint *out, const ulong out0, const int turns)
{
    uint s = 1;

    if (get_global_id(0) != 0) return;
    for (int i = 0; i < turns; i++) s = s * 1664525u + 1013904223u;
    out[out0] = s;
}
