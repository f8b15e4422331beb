"""The process that enters a server in registries while it is ready, and takes it out before it is not."""
