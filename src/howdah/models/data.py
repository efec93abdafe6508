"""The base of every model."""

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Frozen, and closed: an unknown key is an error, not a surprise in a year.

    Histories outlive releases, so a new field has a default and no field changes its meaning.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, allow_inf_nan=False
    )


class Told(Data):
    """The base of what workers and workflows answer, and of what is kept for later readers.

    Unknown keys are left out: they tell of something that came with a release after this one, whose workers may carry
    out the steps of workflows that began before. What asks for something stays closed, for nobody would do it.
    """

    model_config = ConfigDict(extra="ignore")
