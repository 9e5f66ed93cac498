"""A command as the log would hold it, for telling beforehand what it would do."""

from schemas.commands import CommandKind, Revision
from schemas.events import CommandReceived
from streams.core.commanding import Asked, Drafted, PreparedCommand

_UNSEALED = "{}"


def foretold(asked: Asked, prepared: PreparedCommand | None) -> CommandReceived:
    """The command with what decides over its consequences, and nothing else.

    `prepared` is there for those that need the order. No personal section is sealed for it, so
    the document is missing: it is folded for telling only, and never written.
    """
    command = asked.command
    assert isinstance(command.command, CommandKind)
    draft = None if prepared is None else prepared.draft
    return CommandReceived(
        command=asked.id,
        kind=command.command,
        reason=command.reason,
        step=command.step,
        output=command.output,
        revision=None if draft is None else _revision(draft),
    )


def _revision(draft: Drafted) -> Revision:
    examined = draft.examined
    return Revision(
        config_version=examined.config_version,
        axes=examined.resolution.axes,
        waybill=examined.resolution.waybill,
        base=draft.base,
        changed=draft.changed,
        document=_UNSEALED if draft.amends else None,
        fingerprint=examined.fingerprint if draft.amends else None,
    )
