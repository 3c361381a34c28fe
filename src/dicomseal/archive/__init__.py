"""Verifying an archive: millions of objects, in a ledger that survives being killed.

Data run one way: ``walk`` finds files and makes batches, ``loop`` keeps a bounded number of them
under way in any executor, ``work`` verifies a batch there, ``ledger`` appends what came back, and
``chain`` makes later edits of it visible. ``asked`` says over what a run is, ``session`` goes on
where one was stopped and keeps count, ``run`` puts them together. What reads a ledger (``summary``,
``html``, ``diff``, ``export``) never writes to it.
"""
