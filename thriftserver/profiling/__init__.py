"""Where the CPU of a worker goes: what its sampler tells, and how that is shown."""
