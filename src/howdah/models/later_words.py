"""Words of a closed list, read where they may come from a later release."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from howdah.models.causes import FailureCause


def _known(word: Any) -> Any:
    return FailureCause.INTERNAL if isinstance(word, str) and word not in set(FailureCause) else word


ToldCause = Annotated[FailureCause, BeforeValidator(_known)]
"""A cause that this release does not know is one that it has no policy for: an operator is asked, and reads the words
that come with it."""
