"""What the sandbox is started with, and the figures of the Stripe account that it plays."""

from dataclasses import dataclass
from pathlib import Path

API_VERSION = "2026-10-28.endive"
DEFAULT_API_KEY = "sk_test_xiangji_sandbox"

# The account is a Hong Kong one that keeps its balance in CNY. Stripe's smallest charge follows
# the account's own currency, HK$4.00 for Hong Kong, and any other currency "must convert to at
# least" that. The sandbox converts at one fixed rate, so its smallest charge never moves:
# 4.00 x 0.92 = 3.68 CNY.
ACCOUNT_ID = "acct_1SandboxXiangji"
MINIMUM_HKD_CENTS = 400
FEN_PER_100_HKD_CENTS = 92
MINIMUM_FEN = -(-MINIMUM_HKD_CENTS * FEN_PER_100_HKD_CENTS // 100)
MAXIMUM_FEN = 99_999_999

SESSION_SHORTEST_S = 30 * 60
SESSION_LONGEST_S = 24 * 60 * 60

# A fee is a share of the amount, in hundredths of a percent, plus a fixed part. It is rounded
# half up and not given back by a refund, as with Stripe.
FEE_BASIS_POINTS = {"card": 340, "alipay": 220, "wechat_pay": 220}
FEE_FIXED_FEN = 200

# What a chargeback costs, whoever wins it.
DISPUTE_FEE_FEN = 8_500

# Alipay and WeChat Pay take no refund after these days; a card takes one at any time.
REFUND_WINDOW_DAYS = {"alipay": 90, "wechat_pay": 180}

IDEMPOTENCY_KEPT_S = 24 * 60 * 60
WEBHOOK_TIMEOUT_S = 10.0
WEBHOOK_LONGEST_WAIT_S = 300.0


@dataclass(frozen=True)
class Config:
    """How one sandbox runs.

    `refund_delay_s` is how long a pending refund takes; None means until a control call settles
    it. A webhook is tried `webhook_tries` times, and the wait after a failed try doubles from
    `webhook_backoff_s` on.
    """

    state_dir: Path
    webhook_url: str
    webhook_secret: str
    api_key: str = DEFAULT_API_KEY
    refund_delay_s: float | None = 2.0
    webhook_backoff_s: float = 1.0
    webhook_tries: int = 12
    sweep_every_s: float = 1.0


def state_dir(var_dir: Path) -> Path:
    """Give the state folder of the sandbox that a copy of the shop starts for itself."""
    return var_dir / "sandbox"


def fee_fen(method: str, amount_fen: int) -> int:
    """Give the fee in fen that Stripe would keep of a charge by this method."""
    return (amount_fen * FEE_BASIS_POINTS[method] + 5_000) // 10_000 + FEE_FIXED_FEN
