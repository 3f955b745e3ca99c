/* Rows of a table by index, and their sum back into it. -DT: the element type, float or int. An index outside 0..V-1 reads
 * zeros and adds to nothing. */
#ifndef T
#define T float
#endif
#ifndef WG
#define WG 64 /* items a row; 1 where a group runs as one loop */
#endif

/* y (L,E) = table (V,E)[index (L)]; one item an element. */
__kernel void gather(__global T *y, const ulong y0, const __global T *table, const ulong t0, const __global int *index,
                     const ulong i0, const int l, const int e, const int v)
{
    const int i = get_global_id(0);
    int row;

    if (i >= l * e) return;
    row = index[i0 + i / e];
    y[y0 + i] = row >= 0 && row < v ? table[t0 + (ulong)row * e + i % e] : (T)0;
}

/* The same for long rows: group (q, c) copies columns c * cols .. of row q. */
__kernel GS_GROUP(WG, 1, 1)
void gather_rows(__global T *y, const ulong y0, const __global T *table, const ulong t0, const __global int *index, const ulong i0,
                 const int e, const int v, const int cols)
{
    const int q = get_group_id(0), from = (int)get_group_id(1) * cols + (int)get_local_id(0);
    const int to = min(((int)get_group_id(1) + 1) * cols, e), row = index[i0 + q];

    y += y0 + (ulong)q * e;
    if (row >= 0 && row < v) {
        table += t0 + (ulong)row * e;
        for (int c = from; c < to; c += WG) y[c] = table[c];
    } else {
        for (int c = from; c < to; c += WG) y[c] = (T)0;
    }
}

/* y (V,E): y[v] = sum of rows (L,E)[l] over l with index[l] = v, in the order of l (-DPART=1: l from first to last-1 only). Group (v, c) owns columns
 * c * cols .. of row v and searches the list; item lid adds the columns that are lid modulo WG. */
__kernel GS_GROUP(WG, 1, 1)
void scatter_add(__global T *y, const ulong y0, const __global int *index, const ulong i0, const __global T *rows, const ulong r0,
                 const int l, const int e, const int cols GS_RANGE)
{
    GS_WHOLE(l)
    const int v = get_group_id(0), from = (int)get_group_id(1) * cols + (int)get_local_id(0);
    const int to = min(((int)get_group_id(1) + 1) * cols, e);

    y += y0 + (ulong)v * e;
    if (first == 0)
        for (int c = from; c < to; c += WG) y[c] = (T)0;
    for (int q = first; q < last; q++)
        if (index[i0 + q] == v)
            for (int c = from; c < to; c += WG) y[c] += rows[r0 + (ulong)q * e + c];
}
