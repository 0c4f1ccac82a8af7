"""What long things cost from end to end: each unit is paid once, and the table in the documentation is so."""

import pytest

receipts = pytest.importorskip(
    "benchmarks.receipts", reason="the benchmarks are not here, or mistral-common is not"
)


@pytest.mark.parametrize(
    ("scenario", "units", "most_calls", "most_requests"),
    [
        ("100 pages", 100, 9, 17),
        pytest.param("300 pages", 300, 26, 50, marks=pytest.mark.slow),
        ("3 hours", 180, 5, 1),
        pytest.param("5,000 rows", 5_000, 53, 4, marks=pytest.mark.slow),
    ],
)
async def test_a_long_thing_is_paid_for_once_and_within_what_a_dry_run_said(
    scenario: str, units: int, most_calls: int, most_requests: int
) -> None:
    receipt = await receipts.receipt(scenario)

    assert receipt.units == units
    assert receipt.calls <= most_calls
    assert receipt.requests <= most_requests
    assert receipt.least_usd <= round(receipt.usd, 10) <= receipt.most_usd
    assert receipt.row() in receipts.DOCUMENT.read_text(encoding="utf-8")
