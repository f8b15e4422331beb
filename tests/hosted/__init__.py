"""The interfaces of other systems that handlers/ answers, called by those systems' own clients."""
