/* The plain convolutions: one item an element of the result, all sums in one thread. They are the reference for the fast forms and
 * the form for shapes that none of those takes. Cross-correlation with zero padding:
 *
 *   y[n,o,p,q]   = sum_{c,i,j} x[n, g C/G + c, p sh - ph + i d, q sw - pw + j d] w[o,c,i,j],   g = o / (O/G)
 *   dx[n,c,h,v]  = the sum of dy[n,o,p,q] w[o,c,i,j] over all (o,i,j) with p sh - ph + i d = h, q sw - pw + j d = v
 *   dw[o,c,i,j]  = sum_{n,p,q} dy[n,o,p,q] x[n, ..., p sh - ph + i d, q sw - pw + j d]
 *
 * x (N,C,H,W) = (n,xc,xh,xw), y (N,O,OH,OW) = (n,yc,yh,yw), w (O,C/G,KH,KW) = (yc,xc/groups,kh,kw).
 * Order of sums: as the indices are written, the last fastest.
 * -DPART=1: the terms with c (y), o (dx) or n OH + p (dw) from first to last-1 only. */
#define SIZES                                                                                                              \
    const int n, const int xc, const int xh, const int xw, const int yc, const int yh, const int yw, const int kh, const int kw, \
        const int sh, const int sw, const int ph, const int pw, const int dil, const int groups

__kernel void conv2d_direct(__global float *y, const ulong y0, const __global float *x, const ulong x0, const __global float *w,
                            const ulong w0, SIZES GS_RANGE)
{
    const int at = get_global_id(0), cg = xc / groups, og = yc / groups;
    GS_WHOLE(cg)
    int q, p, o;
    float s = 0.0f;

    if (at >= n * yc * yh * yw) return;
    q = at % yw;
    p = at / yw % yh;
    o = at / (yw * yh) % yc;
    x += x0 + ((ulong)(at / (yw * yh * yc)) * xc + o / og * cg) * (xh * xw);
    w += w0 + (ulong)o * (cg * kh * kw);
    if (first) s = y[y0 + at];
    for (int c = first; c < last; c++)
        for (int i = 0; i < kh; i++) {
            const int h = p * sh - ph + i * dil;

            if (h < 0 || h >= xh) continue;
            for (int j = 0; j < kw; j++) {
                const int v = q * sw - pw + j * dil;

                if (v >= 0 && v < xw) s = fma(x[(c * xh + h) * xw + v], w[(c * kh + i) * kw + j], s);
            }
        }
    y[y0 + at] = s;
}

__kernel void conv2d_dx_direct(__global float *dx, const ulong dx0, const __global float *dy, const ulong dy0,
                               const __global float *w, const ulong w0, SIZES GS_RANGE)
{
    const int at = get_global_id(0), cg = xc / groups, og = yc / groups;
    GS_WHOLE(og)
    int v, h, c;
    float s = 0.0f;

    if (at >= n * xc * xh * xw) return;
    v = at % xw;
    h = at / xw % xh;
    c = at / (xw * xh) % xc;
    dy += dy0 + ((ulong)(at / (xw * xh * xc)) * yc + c / cg * og) * (yh * yw);
    w += w0 + ((ulong)(c / cg * og) * cg + c % cg) * (kh * kw);
    if (first) s = dx[dx0 + at];
    for (int o = first; o < last; o++)
        for (int i = 0; i < kh; i++) {
            const int ps = h + ph - i * dil;

            if (ps < 0 || ps % sh || ps / sh >= yh) continue;
            for (int j = 0; j < kw; j++) {
                const int qs = v + pw - j * dil;

                if (qs >= 0 && qs % sw == 0 && qs / sw < yw)
                    s = fma(dy[(o * yh + ps / sh) * yw + qs / sw], w[((ulong)o * cg * kh + i) * kw + j], s);
            }
        }
    dx[dx0 + at] = s;
}

__kernel void conv2d_dw_direct(__global float *dw, const ulong dw0, const __global float *x, const ulong x0,
                               const __global float *dy, const ulong dy0, SIZES GS_RANGE)
{
    const int at = get_global_id(0), cg = xc / groups, og = yc / groups;
    GS_WHOLE(n * yh)
    int j, i, o;
    float s = 0.0f;

    if (at >= yc * cg * kh * kw) return;
    j = at % kw;
    i = at / kw % kh;
    o = at / (kw * kh * cg);
    x += x0 + (ulong)(o / og * cg + at / (kw * kh) % cg) * (xh * xw);
    dy += dy0 + (ulong)o * (yh * yw);
    if (first) s = dw[dw0 + at];
    for (int b = first / yh; b * yh < last; b++) {
        const __global float *xb = x + (ulong)b * xc * (xh * xw), *dyb = dy + (ulong)b * yc * (yh * yw);
        const int end = min(last - b * yh, yh);

        for (int p = max(first - b * yh, 0); p < end; p++) {
            const int h = p * sh - ph + i * dil;

            if (h < 0 || h >= xh) continue;
            for (int q = 0; q < yw; q++) {
                const int v = q * sw - pw + j * dil;

                if (v >= 0 && v < xw) s = fma(xb[h * xw + v], dyb[p * yw + q], s);
            }
        }
    }
    dw[dw0 + at] = s;
}
