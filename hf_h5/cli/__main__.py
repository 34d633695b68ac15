"""``python -m hf_h5.cli`` is ``hf-h5``."""

import sys

from . import main

sys.exit(main())
