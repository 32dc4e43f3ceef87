"""What an adversarial network, the end of a process and strangers can do, and whether promises hold all the same.

Built of kinds: a fault is a few lines in :mod:`.kinds`, a way to end in :mod:`.ends`, a way to spoil in :mod:`.spoil`.
:mod:`.truth` compares what was intended, what is there and what the report says. In CI all of it is short; for long
runs there are environment variables:

- ``HASTYFRAME_ADVERSARY_SEEDS``: how many seeds each kind of fault is tried with (1; then edits, deletes,
  undo and verify meet every other kind)
- ``HASTYFRAME_ADVERSARY_MOMENTS``: how many processes end at a moment of their own, in each test of these (6)
- ``HASTYFRAME_ADVERSARY_LABELS``: how many labels two clients fight for (400)
- ``HASTYFRAME_ADVERSARY_JOURNALS``: how many journals are spoiled (150)
"""
