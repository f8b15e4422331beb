"""The binary protocol as the rest of the project calls it: compiled where that was possible, else the readable source.

Nothing here knows a byte; set ``THRIFTSERVER_PURE`` in the environment to run without compiled code.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from thriftserver.codec import message as _engine
    from thriftserver.codec import node as _node
else:
    _engine = None
    if not os.environ.get("THRIFTSERVER_PURE"):
        try:
            _engine = importlib.import_module("thriftserver.codec._message")
        except ImportError:  # installed without a compiler
            _engine = None
    if _engine is None:
        from thriftserver.codec import message as _engine
    _node = importlib.import_module(_engine.__name__.replace("message", "node"))

#: Whether compiled code does the work.
NATIVE: Final[bool] = _engine.__name__.endswith("._message")

Header = _engine.Header
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
