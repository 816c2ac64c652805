"""Files for the bench and the robot; each robot is one small module.

Writers are pure: a `RoundPlan` in, bytes out. Only `write_files` touches the disk.
"""

from labloop.worklists.export import WORKLISTS, round_files
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.writing import check_writable, other_parts, write_files

__all__ = ["WORKLISTS", "RoundPlan", "check_writable", "other_parts", "round_files", "write_files"]
