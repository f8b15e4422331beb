"""The binary protocol as the rest of the project calls it: compiled where that was possible, else the readable source.

Nothing here knows a byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thriftserver.compiled import choose

if TYPE_CHECKING:
    from thriftserver.codec import message as _engine
    from thriftserver.codec import node as _node
else:
    _engine, _node = choose("codec.message"), choose("codec.node")

Header = _engine.Header
Tally = _engine.Tally
read_header = _engine.read_header
decode_args = _engine.decode_args
encode_result = _engine.encode_result
encode_declared = _engine.encode_declared
encode_error = _engine.encode_error
encode_call = _engine.encode_call
decode_reply = _engine.decode_reply
encode_struct = _engine.encode_struct
decode_struct = _engine.decode_struct

#: How deep containers and structs may be nested, for the whole process: 1 to 200, ``wire.MAX_DEPTH`` unless changed.
set_max_depth = _node.set_max_depth
