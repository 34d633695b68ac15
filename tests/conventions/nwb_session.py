"""A session with most of what NWB has, as pynwb writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pynwb
from pynwb.behavior import Position, SpatialSeries
from pynwb.ecephys import ElectricalSeries
from pynwb.image import ImageSeries
from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries

__all__ = ["START", "write_session"]

START = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
RNG = np.random.default_rng(0)


def write_session(path: Path) -> None:
    """Write series, electrodes, units, trials and cells."""
    session = pynwb.NWBFile(
        session_description="a session",
        identifier="id-1",
        session_start_time=START,
        experimenter=["A", "B"],
        lab="a lab",
    )
    session.subject = pynwb.file.Subject(subject_id="RAT1", species="Rattus norvegicus", age="P90D")
    _add_series(session)
    _add_electrodes_and_units(session)
    _add_ophys(session)
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(session)


def _add_series(session: Any) -> None:
    times = np.sort(RNG.random(50))
    first = pynwb.TimeSeries(name="first", data=RNG.random((50, 3)), unit="m", timestamps=times, conversion=0.001)
    session.add_acquisition(first)
    session.add_acquisition(pynwb.TimeSeries(name="linked", data=np.arange(50), unit="V", timestamps=first))
    counts = RNG.integers(-99, 99, (4000, 2), dtype="i2")
    regular = pynwb.TimeSeries(
        name="regular",
        description="counts at a rate",
        data=counts,
        unit="V",
        starting_time=1.5,
        rate=30.0,
        conversion=2.0,
        offset=1.0,
    )
    session.add_acquisition(regular)
    session.add_acquisition(pynwb.TimeSeries(name="same_data", data=regular, unit="V", starting_time=0.0, rate=10.0))
    film = ImageSeries(
        name="film",
        unit="n.a.",
        external_file=["a.avi"],
        format="external",
        starting_frame=[0],
        rate=25.0,
        num_samples=9,
    )
    session.add_acquisition(film)
    marked = pynwb.TimeSeries(
        name="marked",
        data=np.arange(3.0),
        unit="s",
        rate=1.0,
        control=np.array([0, 1, 0], "u1"),
        control_description=["a", "b"],
    )
    session.add_acquisition(marked)
    place = SpatialSeries(name="place", data=RNG.random((20, 2)), timestamps=np.arange(20.0), reference_frame="corner")
    module = session.create_processing_module(name="behavior", description="where it went")
    module.add(Position(spatial_series=place))
    for start in (0.0, 1.0, 2.5):
        session.add_trial(start_time=start, stop_time=start + 0.5, timeseries=[first])
    session.trials.add_column(name="choice", description="left or right", data=["left", "right", "left"])
    session.trials.add_column(name="state", description="by code", data=[0, 1, 1], enum=["wake", "sleep"])


def _add_electrodes_and_units(session: Any) -> None:
    device = session.create_device(name="probe")
    group = session.create_electrode_group(name="shank", description="a shank", location="CA1", device=device)
    for number in range(4):
        session.add_electrode(x=float(number), location="CA1", group=group)
    region = session.create_electrode_table_region(region=[1, 3], description="two of them")
    voltage = ElectricalSeries(
        name="voltage",
        data=RNG.integers(-9, 9, (100, 2), dtype="i2"),
        electrodes=region,
        rate=1000.0,
        channel_conversion=[2.0, 3.0],
    )
    session.add_acquisition(voltage)
    session.add_unit_column(name="quality", description="how good")
    for count in (3, 0, 5):
        session.add_unit(
            spike_times=np.sort(RNG.random(count)),
            electrodes=list(range(count % 4)),
            obs_intervals=np.array([[0.0, 1.0], [2.0, 3.0]])[: count % 3],
            waveforms=RNG.random((count + 1, 2, 5)).astype("f4"),
            quality="good" if count else "bad",
        )


def _add_ophys(session: Any) -> None:
    channel = OpticalChannel(name="green", description="a channel", emission_lambda=500.0)
    plane = session.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="a plane",
        device=session.create_device(name="scope"),
        excitation_lambda=600.0,
        indicator="GFP",
        location="V1",
        imaging_rate=30.0,
    )
    segments = ImageSegmentation()
    masks = segments.create_plane_segmentation(description="by mask", imaging_plane=plane, name="masks")
    pixels = segments.create_plane_segmentation(description="by pixel", imaging_plane=plane, name="pixels")
    for count in (2, 1):
        masks.add_roi(image_mask=RNG.random((6, 7)).astype("f4"))
        pixels.add_roi(pixel_mask=[(x, x + 1, 0.5) for x in range(count)])
    module = session.create_processing_module(name="ophys", description="cells")
    module.add(segments)
    rois = masks.create_roi_table_region(description="all", region=[0, 1])
    cells = RoiResponseSeries(name="cells", data=RNG.random((2, 2)), unit="lumens", rois=rois, timestamps=[0.5, 1.0])
    module.add(Fluorescence(roi_response_series=cells))
