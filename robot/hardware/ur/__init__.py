"""Universal Robots e-series arms over RTDE, and a protocol emulator of their controller."""
