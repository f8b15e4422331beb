"""The PROXY protocol: its headers, who is believed, and a real proxy in front."""
