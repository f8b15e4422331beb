"""Durations, counted in buckets: as many as there may be, in memory that does not grow with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

#: Buckets for each power of two, so that a bucket is less than 1/128 of its values wide.
_BITS = 7
#: Durations, in nanoseconds, that are longer than that (13 days) count as this long.
_LONGEST = (1 << 50) - 1


class Histogram:
    """Whole numbers of nanoseconds: quantiles are known to 0.4 %, count, total, least and greatest exactly."""

    __slots__ = ("buckets", "count", "greatest", "least", "total")

    def __init__(self) -> None:
        #: How many there are by bucket; there are at most 44 * 128 of them.
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.least = _LONGEST
        self.greatest = 0

    def record(self, value: int) -> None:
        """Count one."""
        excess = value.bit_length() - _BITS - 1
        bucket = (excess << _BITS) + (value >> excess) if excess > 0 else value
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += value
        if value < self.least:
            self.least = value
        if value > self.greatest:
            self.greatest = value

    def add(self, other: Histogram) -> None:
        """Count all that another one has."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)

    @property
    def mean(self) -> float:
        """Nanoseconds; 0 of none."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Nanoseconds that so large a share (0.99) of all does not exceed; 0 of none."""
        wanted = max(math.ceil(round(share * self.count, 6)), 1)
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                low, high = bounds(bucket)
                return float(min(max((low + high - 1) / 2, self.least), self.greatest))
        return 0.0

    def ranges(self) -> Iterator[tuple[int, int, int]]:
        """From how many nanoseconds on, up to how many, and how many there are: of each bucket with any, in order."""
        for bucket in sorted(self.buckets):
            yield *bounds(bucket), self.buckets[bucket]

    def plain(self) -> dict[str, object]:
        """As JSON data, from which ``of`` makes it again."""
        buckets = {str(bucket): self.buckets[bucket] for bucket in sorted(self.buckets)}
        return {
            "total": self.total,
            "least": self.least if self.count else 0,
            "greatest": self.greatest,
            "buckets": buckets,
        }

    @classmethod
    def of(cls, data: Mapping[str, object]) -> Histogram:
        """Raises ValueError for what is none."""
        made = cls()
        buckets, numbers = data.get("buckets"), [data.get(name) for name in ("total", "least", "greatest")]
        if not isinstance(buckets, dict) or not all(isinstance(each, int) and each >= 0 for each in numbers):
            raise ValueError("this is no histogram")
        if not all(isinstance(each, int) and each > 0 for each in buckets.values()):
            raise ValueError("this is no histogram")
        made.buckets = {int(bucket): count for bucket, count in buckets.items()}
        made.count = sum(made.buckets.values())
        made.total, least, made.greatest = numbers  # type: ignore[assignment]  # looked at above
        made.least = least if made.count else _LONGEST  # type: ignore[assignment]
        return made


def bounds(bucket: int) -> tuple[int, int]:
    """The least value that a bucket is for, and the first one that it is not for."""
    if bucket < 2 << _BITS:
        return bucket, bucket + 1
    excess = (bucket >> _BITS) - 1
    low = (bucket - (excess << _BITS)) << excess
    return low, low + (1 << excess)
