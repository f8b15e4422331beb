"""The hot rooms of the calling half as they run in this process: compiled, or their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thriftserver.compiled import choose

if TYPE_CHECKING:
    from thriftserver.client.channel import Channel
    from thriftserver.client.conversation import Conversation
    from thriftserver.client.deadline import Deadline
    from thriftserver.client.lending import Held
    from thriftserver.client.pooled import Attempt, Connection, FastPath, Single, left_of, part
else:
    Channel = choose("client.channel").Channel
    Conversation = choose("client.conversation").Conversation
    Deadline = choose("client.deadline").Deadline
    Held = choose("client.lending").Held
    _pooled = choose("client.pooled")
    Attempt, Connection, FastPath, Single = _pooled.Attempt, _pooled.Connection, _pooled.FastPath, _pooled.Single
    left_of, part = _pooled.left_of, _pooled.part

__all__ = [
    "Attempt",
    "Channel",
    "Connection",
    "Conversation",
    "Deadline",
    "FastPath",
    "Held",
    "Single",
    "left_of",
    "part",
]
