"""``python -m thriftserver`` is the command ``thriftserver``."""

from thriftserver.cli.main import main

main()
