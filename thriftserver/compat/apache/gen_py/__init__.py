"""Packages of ``thriftserver generate`` under the names that Apache's compiler gives to what they hold.

``from thriftserver.compat.apache.gen_py.shop.ttypes import Item`` imports the package ``shop``, which has ``Item``.
"""

from __future__ import annotations

from thriftserver.compat.apache.shapes import shape_below

shape_below(__name__)
