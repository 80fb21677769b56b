"""Universal Robots e-series arms over RTDE, and an emulator of their controller's protocol."""
