"""What the tests of this folder share with those of the pages."""

from tests.docs.conftest import installed

__all__ = ["installed"]
