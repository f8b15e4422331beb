"""A profile as https://www.speedscope.app reads it: its file format, version 0.0.1."""

from __future__ import annotations

import json

from thriftserver.profiling.profile import Profile


def speedscope(profile: Profile) -> str:
    """One sampled profile, weights in nanoseconds of CPU time."""
    name = f"worker {profile.pid}"
    frames = [
        {"name": frame.name} | ({"file": frame.file, "line": frame.line} if frame.file else {})
        for frame in profile.frames
    ]
    return json.dumps(
        {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "shared": {"frames": frames},
            "profiles": [
                {
                    "type": "sampled",
                    "name": name,
                    "unit": "nanoseconds",
                    "startValue": 0,
                    "endValue": profile.total,
                    "samples": [list(stack.frames) for stack in profile.stacks],
                    "weights": [stack.cpu for stack in profile.stacks],
                }
            ],
            "name": name,
            "activeProfileIndex": 0,
            "exporter": profile.server,
        }
    )
