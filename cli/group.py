"""A group of commands, whose help is there at once."""

from typing import Any

from typer.core import TyperGroup, TyperOption


class Group(TyperGroup):
    """Gives typer's own flags, `--help` among them, a value when they are not given.

    To find out that nothing is no truth value, typer would import pydantic: a quarter of what help takes.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        params = super().get_params(ctx)
        for parameter in params:
            if isinstance(parameter, TyperOption) and parameter.is_flag and parameter.default is None:
                parameter.default = False
        return params
