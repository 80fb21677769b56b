"""Prints its arguments, sleeps, and reports an interrupt."""

from __future__ import annotations

import sys
import time

if __name__ == "__main__":
    try:
        print(sys.argv[1:], flush=True)  # within the try: the reader may interrupt before this call returns
        time.sleep(600)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
