"""The service by which a server tells its IDL: what both halves, and clients in any other language, agree on."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from thriftserver.idl.loader import Loader
from thriftserver.loading import api_of

#: The service's name on the wire, as multiplexed clients put it before the method's.
SERVICE: Final = "thriftserver.Reflection"
#: What the call bears there. Whatever is served under this name comes first.
NAME: Final = f"{SERVICE}:schema"

IDL: Final = """\
/** A file of the IDL. Includes in it name other files of the same answer. */
struct File {
  1: string path,
  2: string text
}

/** What a server has loaded, and what of it is served. */
struct Schema {
  1: list<File> files,
  2: list<string> served,     // paths of the files that were given to --idl
  3: list<string> services,   // names; methods of the first one are called by their bare names
  4: string server            // what answers, and its version
}

service Reflection {
  Schema schema()
}
"""


@cache
def contract() -> Any:
    """The same as classes, loaded when it is first asked for."""
    return api_of(Loader().load("reflection.thrift", files={"reflection.thrift": IDL}))
