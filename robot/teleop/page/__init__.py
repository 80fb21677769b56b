"""The web page as a device: what is served, who drives, and what is recorded."""
