"""Apache's JSON protocol: typed texts that any JSON parser reads, but for maps whose keys are not simple values."""

from thriftserver.codec import walk

__path__ += walk.__path__
__getattr__ = walk.functions_of("tjson")
