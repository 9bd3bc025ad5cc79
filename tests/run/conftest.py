"""Makes `chunk_functions` importable, here and in worker processes (which inherit sys.path)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
