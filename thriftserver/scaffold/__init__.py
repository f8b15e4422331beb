"""A project to begin with, as ``thriftserver new`` writes it: IDL, handler, test, configuration, what deploys it."""
