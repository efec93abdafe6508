"""What users write: the spec of the job type, and the configuration of the kind of site."""

from typing import Annotated

from pydantic import Field

from howdah.models.data import Data
from howdah.models.sites import ForkSite
from howdah.models.spec import ExperimentSpec
from howdah.models.units import Count

PositiveNumber = Annotated[float, Field(gt=0)]


class ConvergeSpec(ExperimentSpec):
    """The command finds `SAMPLES` in its environment, and prints a line `error NUMBER` when it has used them."""

    samples: Count = 1000
    """Of the first round."""
    growth: Annotated[int, Field(strict=True, ge=2, le=100)] = 4
    """So many times more samples in each round."""
    rounds: Annotated[int, Field(strict=True, ge=1, le=20)] = 5
    """At most."""
    tolerance: PositiveNumber
    """The error that is small enough."""

    def in_round(self, number: int) -> "ConvergeSpec":
        """The spec of a round, counted from 0."""
        return self.model_copy(update={"samples": self.samples * self.growth**number})

    def for_sites(self) -> ExperimentSpec:
        plain = super().for_sites()
        variables = {**plain.environment.variables, "SAMPLES": str(self.samples)}
        environment = plain.environment.model_copy(update={"variables": variables})
        return plain.model_copy(update={"environment": environment})


class Printed(Data):
    """The end of what a round has printed."""

    text: str
    tolerance: PositiveNumber


class Verdict(Data):
    """`error` is None when the program printed none."""

    error: float | None
    is_enough: bool


class Workstation(ForkSite):
    """A machine that its owner works at."""

    kind: str = "workstation"
    nice: Annotated[int, Field(strict=True, ge=0, le=19)] = 19
    """How far our jobs step aside for everything else: 0 not at all."""
