"""The sizes of a model, read off its modules."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from torch import nn

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.geometry import Geometry, Linears
from methods.anatomy.layers import is_norm
from methods.anatomy.layout import ATTENTION_ROLES, FEED_FORWARD_ROLES
from methods.anatomy.parameters import is_bias
from methods.anatomy.positions import max_positions
from methods.anatomy.quantised import scalars
from methods.errors import AnatomyError


def geometry_of(anatomy: Anatomy) -> Geometry:
    """The sizes of a model that holds no method, read off the shapes of its modules.

    What is not there, or not known, has no size here: experts, say, of which there is no one layer of a role.
    """
    linears, hidden, embedding, vocabulary = Linears(), 0, 0, 0
    for role in (*ATTENTION_ROLES, *FEED_FORWARD_ROLES):
        try:
            linears[role] = tuple(site.shape() for site in anatomy.sites(role))
        except AnatomyError as error:
            linears.why[role] = error
    with suppress(AnatomyError):
        hidden = anatomy.width
    with suppress(AnatomyError):
        embedding, vocabulary = anatomy.embedding.embedding_dim, anatomy.embedding.num_embeddings
    sets: tuple[tuple[str, int], ...] = ()
    blocks: list[nn.Module] = []
    with suppress(AnatomyError):
        blocks = [block.module for block in anatomy.blocks]
        sets = tuple((name, len(sites)) for name, sites in anatomy.attentions().items())
    body = anatomy.body_parameters()
    return Geometry(
        hidden=hidden,
        embedding=embedding,
        linears=linears,
        attention_sets=sets,
        blocks=tuple(_total(anatomy.trainable(dict(block.named_parameters()))) for block in blocks),
        norms=_total(anatomy.trainable(anatomy.norm_parameters())),
        biases=_total(anatomy.trainable(anatomy.bias_parameters())),
        base=_total(body),
        head=_total(anatomy.head_parameters()),
        frozen=_total(body) - _total(anatomy.trainable(body)),
        pooler_biases=_total(anatomy.pooler_biases()),
        vocabulary=vocabulary,
        positions=max_positions(anatomy),
        block_norms=tuple(_total(anatomy.trainable(_norms(block))) for block in blocks),
        block_biases=tuple(_total(anatomy.trainable(_biases(block))) for block in blocks),
    )


def _norms(block: nn.Module) -> dict[str, nn.Parameter]:
    norms = {path: module for path, module in block.named_modules() if is_norm(module)}
    return {f"{path}.{n}": p for path, norm in norms.items() for n, p in norm.named_parameters(recurse=False)}


def _biases(block: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in block.named_parameters() if is_bias(name)}


def _total(parameters: Mapping[str, nn.Parameter]) -> int:
    return sum(scalars(parameter) for parameter in parameters.values())
