"""What is exported: one network or several, after checking them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cvxnn.errors import InputError
from cvxnn.exchange.scaled import Scaling, unscaled
from cvxnn.layers.images import Sides
from cvxnn.networks.base import Network
from cvxnn.networks.stages import Convolution, Probabilities, RowStage, Stages, Windows
from cvxnn.validation import check_count, check_flag

Networks = Network | Sequence[Network]


@dataclass(frozen=True)
class Exported:
    """The stages of a network, or of several networks of one kind as one.

    Attributes
    ----------
    kind : str
        Name of the class of the networks.
    stages : tuple of Stage
    n_outputs : int
        Of all networks.
    image_sides : tuple of int, optional
        Of the images that it reads, where that is known.
    """

    kind: str
    stages: Stages
    n_outputs: int
    image_sides: Sides | None

    @classmethod
    def of(
        cls,
        network: Networks,
        has_ones: bool,
        image_shape: Sides | None,
        scaling: Scaling | None = None,
        *,
        probabilities: bool = False,
    ) -> Exported:
        """The stages of these networks, on data and to targets as they were before a scaling.

        With `probabilities` those of classes, of the values of one network.

        Raises
        ------
        InputError
            If they are not networks of one kind that read the same data, or an option
            is not as described or not for this kind.
        """
        networks = _as_networks(network)
        kind, stages = type(networks[0]).__name__, type(networks[0]).stages(networks)
        first, *rest = stages
        if check_flag(has_ones, "has_ones"):
            if not isinstance(first, RowStage):
                raise InputError(
                    f"has_ones is for networks that read rows of features: a {kind} has no "
                    "weights of a column of ones."
                )
            stages = (first.without_ones(), *rest)
        if scaling is not None:
            stages = unscaled(stages, scaling)
        sides = None
        if image_shape is not None:
            if not isinstance(first, Convolution):
                raise InputError(
                    "image_shape is for a ConvolutionalNetwork, which reads images of any size; "
                    f"a {kind} has weights for one size."
                )
            sides = checked_sides(image_shape, first.windows)
        n_outputs = sum(network.n_outputs or 1 for network in networks)
        if check_flag(probabilities, "probabilities"):
            if len(networks) > 1:
                raise InputError(
                    f"probabilities is for one network, got {len(networks)}: a classifier has one "
                    "for two classes and, with multi_class='softmax', for more."
                )
            stages = (*stages, Probabilities(n_outputs))
        return cls(kind, stages, n_outputs, sides)


def _as_networks(network: Networks) -> list[Any]:
    networks: list[Any] = list(network) if isinstance(network, (list, tuple)) else [network]
    for each in networks:
        if not isinstance(each, Network):
            is_solution = isinstance(getattr(each, "network", None), Network)
            hint = "; pass its attribute network" if is_solution else ""
            raise InputError(
                f"network must be a network of cvxnn or a list of them, "
                f"got a {type(each).__name__}{hint}."
            )
    kinds = sorted({type(each).__name__ for each in networks})
    if len(kinds) != 1:
        found = " and ".join(kinds) or "no network"
        raise InputError(f"The networks must be of the same kind, got {found}.")
    return networks


def checked_sides(image_shape: Sides | None, windows: Windows) -> Sides:
    """Height and width of images, or the length of signals, without the channels.

    Raises
    ------
    InputError
        If `image_shape` is None, of other dimensions, or smaller than a filter.
    """
    n_sides = len(windows.sides)
    if not isinstance(image_shape, tuple | list) or len(image_shape) - n_sides not in (0, 1):
        raise InputError(
            "image_shape must be the height and width of the images, or the length of the "
            f'signals, which the PyTorch module of pooling="sum" needs; got {image_shape!r}.'
        )
    sides = tuple(check_count(side, "image_shape") for side in image_shape[:n_sides])
    if min(windows.map_shape(sides)) < 1:
        raise InputError(f"image_shape must not be smaller than a filter, got {image_shape!r}.")
    return sides
