"""What a load test has found, as it is kept in a file and compared with another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from thriftserver.errors import ConfigError
from thriftserver.loadtest.gathering import Gathered, Second
from thriftserver.loadtest.tally import KINDS, Tally

#: Shares of calls whose greatest duration is told, by their names.
QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999}
#: Of a processor: from here on it is rather the load generator that is measured.
_FULL = 0.9
#: Shares of calls from which on it is worth a word that they were sent late.
_MANY = 0.01


class Result(NamedTuple):
    """``about`` is what was done, JSON data in words of the command line. ``elapsed`` is in seconds.

    ``methods`` are tallies by the names that methods were called by. ``generator`` is what the test has to say of
    itself: ``cpu``, ``late``, ``waited``, ``lost``, ``stopped`` as ``Gathered`` has them.
    """

    about: dict[str, Any]
    elapsed: float
    methods: dict[str, Tally]
    seconds: list[Second]
    generator: dict[str, Any]

    @classmethod
    def of(cls, gathered: Gathered, about: dict[str, Any]) -> Result:
        generator = {name: getattr(gathered, name) for name in ("cpu", "late", "waited", "lost", "stopped")}
        methods = dict(zip(gathered.called, gathered.methods, strict=True))
        return cls(about, gathered.elapsed, methods, gathered.seconds, generator | {"cpu": round(gathered.cpu, 4)})

    @property
    def total(self) -> Tally:
        """All methods together."""
        total = Tally()
        for each in self.methods.values():
            total.add(each)
        return total

    def rate(self, tally: Tally) -> float:
        """Calls per second that have come to an end, whichever."""
        return tally.calls / self.elapsed if self.elapsed else 0.0

    def notes(self) -> list[str]:
        """What is to be known before any figure is believed."""
        told = self.generator
        calls = self.total.calls
        notes = []
        if told["stopped"]:
            notes.append("the test was stopped before its end")
        if told["lost"]:
            notes.append(f"{told['lost']} of the test's processes died: what they had counted last is missing")
        if told["cpu"] > _FULL:
            notes.append("the load generator itself was at its limit, not only the server: give it more --processes")
        if told["late"] > calls * _MANY:
            notes.append(
                f"{told['late'] / calls:.1%} of calls were sent over 1 ms late, because this machine had no time for it"
            )
        if told["waited"] > calls * _MANY:
            notes.append(
                f"{told['waited'] / calls:.1%} of calls had to wait for a connection that was free, which counts as "
                "theirs: more connections (-c) show whether the server could do better"
            )
        return notes

    def plain(self) -> dict[str, Any]:
        """As JSON data, from which ``read`` makes it again. Times are in seconds, but in histograms in nanoseconds."""
        return {
            **self.about,
            "elapsed": round(self.elapsed, 6),
            **self._plain(self.total, histogram=False),
            "methods": {name: self._plain(tally) for name, tally in self.methods.items()},
            "seconds": [
                {
                    "second": each.number,
                    "calls": each.calls,
                    "errors": each.errors,
                    "p50": seconds(each.p50),
                    "p99": seconds(each.p99),
                    "max": seconds(each.greatest),
                }
                for each in self.seconds
            ],
            "generator": self.generator,
            "notes": self.notes(),
        }

    def _plain(self, tally: Tally, histogram: bool = True) -> dict[str, Any]:
        told = tally.plain()
        if not histogram:
            told = {"outcomes": told["outcomes"]}
        return {"calls": tally.calls, "rate": round(self.rate(tally), 3), "latency": latency(tally)} | told


def seconds(nanoseconds: float) -> float:
    return round(nanoseconds / 1e9, 9)


def latency(tally: Tally) -> dict[str, float]:
    """Durations by name, in seconds; nothing where no call has come to an end."""
    times = tally.times
    if not times.count:
        return {}
    quantiles = {name: times.quantile(share) for name, share in QUANTILES.items()}
    every = {"min": times.least, "mean": times.mean} | quantiles | {"max": times.greatest}
    return {name: seconds(value) for name, value in every.items()}


def read(path: str) -> Result:
    """What ``--json`` has printed, out of a file. Raises ConfigError."""
    try:
        with open(path, "rb") as file:
            data = json.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON, as `thriftserver bench --json` prints it: {error}") from None
    try:
        return _result(data)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ConfigError(f"{path} is not what `thriftserver bench --json` prints: {error!r}") from None


def _result(data: Mapping[str, Any]) -> Result:
    methods = {str(name): Tally.of(each) for name, each in data["methods"].items()}
    every = [
        Second(
            int(each["second"]),
            int(each["calls"]),
            int(each["errors"]),
            *(float(each[name]) * 1e9 for name in ("p50", "p99", "max")),
        )
        for each in data["seconds"]
    ]
    about = {name: data[name] for name in ("address", "dialect", "begun", "load")}
    return Result(about, float(data["elapsed"]), methods, every, dict(data["generator"]))


def errors_of(methods: Mapping[str, Tally]) -> list[tuple[str, str, str, int]]:
    """Method, outcome, text and number of calls, of whatever was no result; the most frequent first."""
    found = [
        (name, KINDS[kind], text, count)
        for name, tally in methods.items()
        for (kind, text), count in tally.wrongs.items()
    ]
    return sorted(found, key=lambda each: -each[3])
