"""Python imports this by itself at its start, in every process whose PYTHONPATH leads here first."""

from tests.faults.arming import arm, set_clock

arm()
set_clock()
