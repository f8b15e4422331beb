"""HAProxy with one thread that ends TLS in front of a server: ``haproxy.py PORT PORT_BEHIND CERTIFICATE_WITH_KEY``."""

import os
import sys

CONFIGURATION = """
global
    nbthread 1
    maxconn 8000
    tune.ssl.cachesize 0
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen bench
    bind 127.0.0.1:{port} ssl crt {certificate} ssl-min-ver TLSv1.2
    server behind 127.0.0.1:{behind}
"""

port, behind, certificate = sys.argv[1:]
descriptor = os.memfd_create("haproxy-configuration", 0)
os.write(descriptor, CONFIGURATION.format(port=port, behind=behind, certificate=certificate).encode())
os.execvp("haproxy", ["haproxy", "-db", "-f", f"/proc/self/fd/{descriptor}"])
