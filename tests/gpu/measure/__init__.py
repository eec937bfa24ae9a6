"""One prepared run for a card that is lent for minutes; `docs/gpu.md` says how to start it.

`sizes.py` says what is measured how large, `document.py` keeps what is found from the first item on, and the
other files are its parts, the most important first: invariants, memory, trials, table1, latency, board.
"""
