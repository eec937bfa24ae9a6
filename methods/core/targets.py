"""The layers that a method's targets name."""

from __future__ import annotations

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.site import Site


def by_module(anatomy: Anatomy, roles: tuple[str, ...]) -> list[tuple[Site, dict[str, Site]]]:
    """The modules that hold the roles, each with the roles it holds; a fused one holds several.

    Raises:
        AnatomyError: the model has no such role, or it is no linear layer.
    """
    found: dict[str, tuple[Site, dict[str, Site]]] = {}
    for role in roles:
        for site in anatomy.sites(role):
            site.linear()
            found.setdefault(site.path, (site, {}))[1][role] = site
    return list(found.values())


def part_path(site: Site, role: str) -> str:
    """The name of one update: the layer's path, and the role where a layer holds several."""
    return site.path if site.rows is None else f"{site.path}.{role}"
