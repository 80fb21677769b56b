"""Says its words, sleeps, and tells when it was interrupted."""

from __future__ import annotations

import sys
import time

if __name__ == "__main__":
    print(sys.argv[1:], flush=True)
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
