"""The admin process: what the scoreboard says, over HTTP, for Prometheus, load balancers, scripts and people."""
