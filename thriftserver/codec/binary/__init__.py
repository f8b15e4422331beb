"""The binary protocol, strict and in its old form."""

from thriftserver.codec import walk

__path__ += walk.__path__
__getattr__ = walk.functions_of("binary")
