"""``python -m adair`` is the same as ``adair``."""

import sys

from adair.cli.main import main

sys.exit(main())
