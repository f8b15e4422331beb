"""The hot rooms of the calling half as they run in this process: compiled, or their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thriftserver.compiled import choose

if TYPE_CHECKING:
    from thriftserver.client.channel import Channel
    from thriftserver.client.conversation import Conversation
    from thriftserver.client.deadline import Deadline
    from thriftserver.client.lending import Held
else:
    Channel = choose("client.channel").Channel
    Conversation = choose("client.conversation").Conversation
    Deadline = choose("client.deadline").Deadline
    Held = choose("client.lending").Held

__all__ = ["Channel", "Conversation", "Deadline", "Held"]
