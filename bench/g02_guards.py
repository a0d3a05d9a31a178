"""G2: no kind of statement brings two holds of one agent to overlap.

Random statements run against our schema; a checker that compares every hold with every other counts illegal states.
The peer is the same schema without its guards, on which the same statements must make many: else nothing was tried.
"""

import random
import sqlite3
from collections import Counter

from bench.ratio import Ratio
from tests.store.test_guards import ATTEMPTS, INSERT, database, overlapping_pairs, row

STATEMENTS = 12_000
NAMES, AGENTS = ("v1", "v2", "v3", "free", "v5", "v6"), ("ana", "beto")


def run() -> list[Ratio]:
    guarded, bare = database(), database()
    for trigger in ("visit_insert_guard", "visit_update_guard"):
        bare.execute(f"DROP TRIGGER {trigger}")
    ours, kinds = illegal_states(guarded)
    peers, _ = illegal_states(bare)
    print(f"  {STATEMENTS} statements of {len(kinds)} kinds: {ours} illegal states, {peers} without the guards")
    return [
        Ratio("G2 illegal states with the guards", ours, 0, at_least=False),
        Ratio("G2 illegal states without them", peers, 1_000, at_least=True),
        Ratio("G2 kinds of statement", len(kinds), 15, at_least=True),
    ]


def illegal_states(db: sqlite3.Connection) -> tuple[int, Counter[str]]:
    """Return how many statements left an overlap behind (each is taken back), and how often each kind was run."""
    chance, kinds, illegal = random.Random(2), Counter[str](), 0
    db.execute(f"INSERT {INSERT}", row("v1", 0, 20))
    for _ in range(STATEMENTS):
        kind = chance.choice(list(ATTEMPTS))
        kinds[kind] += 1
        start = chance.randrange(200)
        values = row(chance.choice(NAMES), start, start + chance.randrange(1, 40), agent=chance.choice(AGENTS))
        db.execute("BEGIN")
        attempt(db, ATTEMPTS[kind], values)
        found = bool(overlapping_pairs(db))
        illegal += found
        if db.in_transaction:
            db.execute("ROLLBACK" if found else "COMMIT")
        if chance.random() < 0.1:
            db.execute("DELETE FROM visit WHERE id = ?", (chance.choice(NAMES),))
    return illegal, kinds


def attempt(db: sqlite3.Connection, statement: str, values: dict[str, object]) -> None:
    try:
        db.execute(statement, values)
    except sqlite3.IntegrityError:
        return
