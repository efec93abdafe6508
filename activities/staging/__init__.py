"""The files of a job: put into its folder before it runs, brought home when it ended.

Both ways go through the site's shell: small files in packs (tar streams), each large one by itself.
A file gets its final name only when all of it is there and its SHA-256 is right, so that whatever dies
in between leaves nothing wrong behind, and the next try goes on where the last one stopped.
"""

from howdah.activities.staging.cache import Cache
from howdah.activities.staging.checks import check_inputs, check_outputs
from howdah.activities.staging.sizes import Sizes
from howdah.activities.staging.stage_in import stage_in
from howdah.activities.staging.stage_out import stage_out

__all__ = ["Cache", "Sizes", "check_inputs", "check_outputs", "stage_in", "stage_out"]
