"""Follow README.md in a fresh clone, exactly as it stands there: ``python3 .ci/readme.py``.

Its commands are pasted one after the other, in one directory, while the servers that they start go on.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.docs.pages import README, blocks  # noqa: E402
from tests.docs.reader import Reader  # noqa: E402

if __name__ == "__main__":
    with Reader(ROOT) as reader:
        reader.follow(blocks(README))
