"""Doing the work: studies run, costs measured, and the command line; imports the other three wings.

Ground floor: `models`, `heads`, `padding`, `vocabulary`, `weights`, `device`, `dropout`, `environment`,
`errors`, `failures`, `known`, `launch`, `numerics`, `optimisation`, `ours`, `processes`, `shapes`, `taggers`,
`untrained`.
"""

from runners import ours

ours.come_first()
