"""The SO-101 on its serial line, and an emulator of its protocol."""
