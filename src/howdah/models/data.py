"""The base of every model."""

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Frozen, and closed: an unknown key is an error, not a surprise in a year.

    Histories outlive releases, so a new field has a default and no field changes its meaning.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, allow_inf_nan=False
    )
