"""The compact protocol: numbers as varints, ids of fields as steps from the one before."""

from thriftserver.codec import walk

__path__ += walk.__path__
__getattr__ = walk.functions_of("compact")
