"""Offline reinforcement learning: the HDF5 files of D4RL."""

import hf_h5


class D4RL(hf_h5.H5Builder):
    """Transitions, one row per step: observations, actions, rewards, terminals, timeouts and infos.

    An episode ends where ``terminals`` or ``timeouts`` is true. The weights of the policy that made the data, which the
    files hold under ``/metadata``, are no rows.
    """

    # The first name says which table; the pattern leaves /metadata out, whose weights may have as many rows.
    OPTIONS = {"layout": "table", "columns": ["observations", "[!m]*"]}
