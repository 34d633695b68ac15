"""``hf-h5 repack``: the same file with its big datasets in chunks and filters that suit.

``layout`` decides (pure), ``elements`` carries values over bit for bit, ``objects`` everything that is no big dataset,
``pieces`` the big ones in pieces that survive a kill, ``equality`` proves that nothing changed, ``command`` does it.
"""

from .command import run_repack
from .layout import Wanted

__all__ = ["Wanted", "run_repack"]
