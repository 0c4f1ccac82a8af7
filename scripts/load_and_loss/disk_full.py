"""The vault on SQLite with a full disk: acknowledged data stays, new data is refused, and it recovers once there is room."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2

from scripts.load_and_loss.load import OK, UNAVAILABLE, Load, Tenant
from scripts.load_and_loss.services import MASTER_KEY, Replica, make_folder

SIZE = "2m"
BEFORE, MOST = 5, 400
BLOCK = 4096


class CannotMeasure(Exception):
    """Raised if no small disk can be mounted, which needs root."""


async def fill_the_disk(folder: Path, route: str) -> list[tuple[str, str, bool]]:
    """The checks as rows: name, result, and whether it passed."""
    async with _small_disk(folder / "disk") as disk:
        settings = {
            "ROUTE": route,
            "MASTER_KEYS": MASTER_KEY,
            "DATA_DIR": str(disk),
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        replica = Replica({**settings, "LOG_LEVEL": "WARNING"}, folder / "disk.log")
        await replica.start()
        try:
            await replica.until_ready()
            async with httpx2.AsyncClient(timeout=30) as client:
                return await _fill(Load([replica], client), disk)
        finally:
            await replica.stop()


async def _fill(load: Load, disk: Path) -> list[tuple[str, str, bool]]:
    tenants = [Tenant(number, f"kEyOfTheFullDisk{number:04d}0123456789") for number in range(MOST)]
    made = [tenant for tenant in tenants[:BEFORE] if await load.sign_up(tenant)]
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free // BLOCK * BLOCK))
    refused = 0
    for tenant in tenants[BEFORE:]:
        if await load.sign_up(tenant):
            made.append(tenant)
        else:
            refused += 1
        if refused == BEFORE:
            break
    during = [await load.status_of(tenant, tenant.token, 0) for tenant in made]
    filler.unlink()
    after = [await load.status_of(tenant, tenant.token, 0) for tenant in made]
    healed = await load.sign_up(Tenant(MOST, "kEyAfterTheFullDisk0123456789abc"))
    wrong = load.ledger.wrong
    return [
        (
            "sign-ups refused with 503 while the disk is full",
            str(load.ledger.outcomes[str(UNAVAILABLE)]),
            refused == BEFORE,
        ),
        (
            "connections that answer while it is full",
            f"{during.count(OK)} of {len(made)}",
            during.count(OK) == len(made),
        ),
        ("connections that answer afterwards", f"{after.count(OK)} of {len(made)}", after.count(OK) == len(made)),
        ("a sign-up once there is room again", "made" if healed else "refused", healed),
        ("answers that should not be", "; ".join(wrong[:3]) or "none", not wrong),
    ]


@asynccontextmanager
async def _small_disk(folder: Path) -> AsyncGenerator[Path]:
    make_folder(folder)
    result = await anyio.run_process(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], check=False
    )
    if result.returncode:
        raise CannotMeasure("a small disk cannot be mounted here: only root can")
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.run_process(["umount", "-l", str(folder)], check=False)
