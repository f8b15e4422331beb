/* Latencies in a histogram: 128 linear sub-buckets per power of two of nanoseconds. */
#pragma once
#include <math.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;

#define SUB 128
#define NBUCKET (64 * SUB)

struct latency { u64 buckets[NBUCKET], n, min, max; double sum; };

static void record(struct latency *l, u64 ns)
{
    u32 i;
    if (ns < SUB) {
        i = (u32)ns;
    } else {
        int e = 63 - __builtin_clzll(ns) - 7;       /* ns >> e in [128,256) */
        i = (u32)(e + 1) * SUB + (u32)((ns >> e) - SUB);
    }
    l->buckets[i]++;
    l->sum += (double)ns;
    if (!l->n++ || ns < l->min) l->min = ns;
    if (ns > l->max) l->max = ns;
}

static double quantile(const struct latency *l, double q)
{
    u64 want = (u64)ceil(q * (double)l->n), seen = 0;
    if (!want) want = 1;
    for (u32 i = 0; i < NBUCKET && l->n; i++) {
        seen += l->buckets[i];
        if (seen < want) continue;
        if (i < SUB) return i;
        int e = (int)(i / SUB) - 1;
        double mid = (double)(((u64)(i % SUB) + SUB) << e) + (double)(1ull << e) / 2;
        return mid > (double)l->max ? (double)l->max : mid;
    }
    return (double)l->max;
}
