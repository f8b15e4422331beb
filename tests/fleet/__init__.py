"""Several servers, behind the proxies and in the containers that people run them in."""
