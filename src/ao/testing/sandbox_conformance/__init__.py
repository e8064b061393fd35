"""What every executor must do, as tests: import them beside a `rig` fixture that gives a `Rig`.

    from ao.testing.sandbox_conformance.entrypoints import *

`entrypoints` (input, output, errors), `conversing` (steps), `ending` (signals, stop, the tree), `limits`,
`isolation` (canaries) and `network` belong together; an executor that lists something as degraded is excused
from that alone.
"""
