"""Both builds of the hot rooms, as the tests of the server have them."""

from tests.server.conftest import env

__all__ = ["env"]
