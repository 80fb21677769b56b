"""The SO-101 on its serial line, and a protocol emulator of it."""
