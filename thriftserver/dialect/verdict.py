"""What a transport says of bytes that are no whole message, in place of the message's length."""

from __future__ import annotations

from typing import Final

#: More bytes are needed.
MORE: Final = 0
#: They will never be one.
BROKEN: Final = -1
#: The same, but it takes more bytes to tell what they are, and whom to answer.
UNTOLD: Final = -2
#: Bytes that tell what a stream is, and which call it was.
START: Final = 1024
