"""The slots of a site, in lines for people."""

from rich.console import RenderableType
from rich.text import Text

from howdah.models.slots import ProjectTally, SlotsTally


def slot_lines(slots: SlotsTally) -> list[RenderableType]:
    """One for the site, and one for each project where there are several."""
    of = f" of {slots.most}" if slots.most is not None else ""
    lines: list[RenderableType] = [Text(f"slots  {slots.held}{of} taken, {_waiting(slots.waiting)}")]
    if [project.project for project in slots.projects] not in ([], [""]):
        lines += [Text(f"  {_line(project)}") for project in slots.projects]
    return lines


def _line(project: ProjectTally) -> str:
    of = f" of {project.most}" if project.most is not None else ""
    share = f", share {project.share:g}" if project.share != 1 else ""
    return f"{project.project or 'no project'}: {project.held}{of} taken, {_waiting(project.waiting)}{share}"


def _waiting(number: int) -> str:
    return "1 waits" if number == 1 else f"{number} wait"
