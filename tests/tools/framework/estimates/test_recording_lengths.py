"""The length of a recording, by its file's header."""

import io

import pytest

from mistral_mcp.tools.framework.estimates.recording_lengths import measure_seconds
from tests.tools.framework.estimates.files import MP3_FRAME, flac, mp3, mp3_with_count, mp4, ogg_opus, wav

FRAME_SECONDS = 1152 / 44_100


def measure(content: bytes) -> float | None:
    return measure_seconds(io.BytesIO(content), len(content))


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        pytest.param(wav(2.5), 2.5, id="wav"),
        pytest.param(wav(2)[:-4_000], 1.5, id="wav that was cut"),
        pytest.param(flac(61), 61, id="flac"),
        pytest.param(ogg_opus(75), 75, id="ogg"),
        pytest.param(mp4(90), 90, id="mp4"),
        pytest.param(mp4(90, version=1), 90, id="mp4 with long times"),
        pytest.param(mp3(1_000), 1_000 * FRAME_SECONDS, id="mp3"),
        pytest.param(mp3_with_count(5_000), 5_000 * FRAME_SECONDS, id="mp3 of a variable bit rate"),
    ],
)
def test_a_recording_says_how_long_it_is(content: bytes, seconds: float) -> None:
    assert measure(content) == pytest.approx(seconds, rel=0.01)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no recording at all",
        b"RIFF\0\0\0\0WAVE",
        b"OggS",
        mp4(9)[:40],
        MP3_FRAME,
        pytest.param(mp3(50) + (b"\xff\xfb\xa0\x00" + b"\0" * 518) * 100, id="mp3 whose bit rate changes"),
    ],
)
def test_what_cannot_be_read_is_not_guessed(content: bytes) -> None:
    assert measure(content) is None
