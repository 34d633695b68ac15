"""The picture of the demo: the same sample images from both modes, and both loss curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError, shown

__all__ = ["Samples", "draw_picture", "find_images", "is_image", "to_image"]

_MIN_SIDE = 8
_CHANNELS = (1, 3, 4)
_PER_LINE = 5
_COLOURS = ("#1f77b4", "#ff7f0e")


@dataclass(frozen=True)
class Samples:
    """Images to show: per mode ``(n, H, W)`` or ``(n, H, W, channels)``, and a caption for each."""

    column: str
    by_mode: Mapping[str, Sequence[NDArray[Any]]]
    captions: Sequence[str]


def find_images(features: Any) -> str | None:
    """The first column whose rows look like images."""
    for name, feature in features.items():
        shape = tuple(getattr(feature, "shape", None) or ())
        if type(feature).__name__.startswith("Array") and is_image(str(feature.dtype), shape):
            return str(name)
    return None


def is_image(dtype: str, shape: tuple[int | None, ...]) -> bool:
    """Whether rows of a dtype and shape look like images."""
    return _is_frame(shape) and _is_pixels(dtype, shape)


def _is_frame(shape: tuple[int | None, ...]) -> bool:
    match shape:
        case (height, width) | (height, width, 1 | 3 | 4) | (1 | 3 | 4, height, width):
            return height is not None and width is not None and min(height, width) >= _MIN_SIDE
    return False


def _is_pixels(dtype: str, shape: tuple[int | None, ...]) -> bool:
    """Matrices of floats are rarely images; with three channels they mostly are."""
    return dtype == "uint8" or (dtype.startswith(("float", "uint")) and len(shape) == 3)


def to_image(values: Any) -> NDArray[Any]:
    """One row as matplotlib wants it: ``(H, W)`` or ``(H, W, 3 or 4)``, floats in ``[0, 1]``."""
    image = np.asarray(values, dtype=np.float64)
    if image.ndim == 3 and image.shape[2] not in _CHANNELS:
        image = np.moveaxis(image, 0, 2)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    low, high = float(np.nanmin(image)), float(np.nanmax(image))
    if image.ndim == 3 and low >= 0 and 1 < high <= 255:
        return image / 255
    return (image - low) / (high - low) if high > low else np.zeros_like(image)


def draw_picture(file: str, title: str, samples: Samples | None, losses: Mapping[str, Sequence[float]]) -> None:
    """Write a PNG: images of each mode on the left, loss curves on the right; either may be absent."""
    ratios = ([3.0] if samples else []) + ([2.6] if losses else [])
    figure = _new_figure(figsize=(2.1 * sum(ratios), 4.6 if samples else 3.4))
    figure.suptitle(title)
    halves = list(figure.subfigures(1, len(ratios), width_ratios=ratios, squeeze=False)[0])
    if samples:
        _draw_samples(halves[0], samples)
    if losses:
        _draw_losses(halves[-1].subplots(), losses)
    figure.savefig(file)


def _new_figure(figsize: tuple[float, float]) -> Any:
    """A figure by the classes themselves and not pyplot: no window system is touched, and no global state."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            "the demo draws with matplotlib, which is not installed", hint='pip install "hf-h5[demo]"'
        ) from error
    figure = Figure(figsize=figsize, dpi=140, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_samples(half: Any, samples: Samples) -> None:
    """The same images once per mode, five in a line."""
    lines = -(-len(samples.captions) // _PER_LINE)
    blocks = half.subfigures(len(samples.by_mode), 1, squeeze=False)[:, 0]
    for block, (mode, images) in zip(blocks, samples.by_mode.items(), strict=True):
        block.suptitle(f"{mode}: {samples.column}", fontsize=10)
        grid = block.subplots(lines, _PER_LINE, squeeze=False).ravel()
        for axes in grid[len(samples.captions) :]:
            axes.axis("off")
        for axes, image, caption in zip(grid, images, samples.captions, strict=False):
            axes.imshow(image, cmap="gray_r" if image.ndim == 2 else None, vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(shown(caption)[:16], fontsize=8, pad=2)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_color("#cccccc")


def _draw_losses(axes: Any, losses: Mapping[str, Sequence[float]]) -> None:
    """The first curve wide, the next one thin and dashed on top: both can be seen where they are one."""
    styles: tuple[dict[str, Any], ...] = ({"linewidth": 5, "alpha": 0.45}, {"linewidth": 1.2, "linestyle": "--"})
    for (mode, values), style, colour in zip(losses.items(), styles, _COLOURS, strict=False):
        axes.plot(values, label=mode, color=colour, **style)
    axes.set_xlabel("training step")
    axes.set_ylabel("loss")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
