"""One word, one symbol and one tone for every state that the console shows."""

from typing import Literal, NamedTuple, TypeAlias

Tone: TypeAlias = Literal["good", "bad", "warn", "busy", "idle"]


class Shown(NamedTuple):
    """How a state is shown: the symbol says it, too, to who sees no colours."""

    word: str
    symbol: str
    tone: Tone


_STATES = {
    # orders
    "submitted": Shown("submitted", "○", "idle"),
    "accepted": Shown("submitted", "○", "idle"),
    "processing": Shown("processing", "▶", "busy"),
    "post_processing": Shown("post-processing", "▷", "busy"),
    "waiting": Shown("waiting", "◔", "warn"),
    "queued": Shown("queued", "≡", "idle"),
    "paused": Shown("paused", "‖", "warn"),
    "in_doubt": Shown("in doubt", "?", "bad"),
    "complete": Shown("complete", "✓", "good"),
    "completed": Shown("complete", "✓", "good"),
    "failed": Shown("failed", "✕", "bad"),
    "cancelled": Shown("cancelled", "⊘", "idle"),
    # steps
    "pending": Shown("pending", "○", "idle"),
    "running": Shown("running", "▶", "busy"),
    "started": Shown("running", "▶", "busy"),
    "succeeded": Shown("succeeded", "✓", "good"),
    "skipped": Shown("skipped", "↷", "idle"),
    "resolved": Shown("resolved", "✓", "good"),
    "deferred": Shown("deferred", "◔", "warn"),
    "compensating": Shown("being undone", "↶", "busy"),
    "compensated": Shown("undone", "↶", "idle"),
    "compensation_failed": Shown("not undone", "✕", "bad"),
    # how a stage does
    "held": Shown("held", "■", "warn"),
    "open": Shown("breaker open", "⚡", "bad"),
    "half_open": Shown("trying again", "◐", "warn"),
    "failing": Shown("failing", "✕", "bad"),
    "slow": Shown("slow", "◷", "warn"),
    "flowing": Shown("flowing", "✓", "good"),
    "idle": Shown("idle", "·", "idle"),
    # webhooks and commands
    "delivered": Shown("delivered", "✓", "good"),
    "discarded": Shown("discarded", "⊘", "idle"),
    "enabled": Shown("enabled", "✓", "good"),
    "disabled": Shown("disabled", "⊘", "bad"),
    "sent": Shown("sent", "→", "busy"),
    "applied": Shown("applied", "✓", "good"),
    "rejected": Shown("rejected", "✕", "bad"),
    # what else people did
    "done": Shown("done", "✓", "good"),
    "asked": Shown("not known", "?", "warn"),
    "refused": Shown("refused", "✕", "bad"),
    # subscriptions
    "active": Shown("active", "✓", "good"),
    "initial": Shown("initial", "○", "idle"),
    "suspended": Shown("suspended", "‖", "warn"),
    "expired": Shown("expired", "⊘", "idle"),
    # health
    "ok": Shown("ok", "✓", "good"),
    "behind": Shown("late", "◔", "warn"),
    "stuck": Shown("stuck", "✕", "bad"),
    "down": Shown("down", "✕", "bad"),
    "unknown": Shown("unknown", "·", "idle"),
}


def state_of(name: str) -> Shown:
    """How to show it; a name that nobody told us of is shown as it is."""
    return _STATES.get(name) or Shown(name.replace("_", " "), "·", "idle")
