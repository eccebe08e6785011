"""What a dictation looks like."""

from client.dictation.core.view import Light, State, View

_HEADLINES: dict[State, tuple[str, Light]] = {
    State.OFF: ("Dictation off", "off"),
    State.CONNECTING: ("Connecting: speak, it is kept", "wait"),
    State.ON: ("Dictation ON", "on"),
    State.DRAINING: ("Finishing", "wait"),
}


def sight(
    state: State,
    *,
    lost: str,
    notice: str,
    interim: str,
    history: tuple[str, ...],
    level_db: float | None,
    is_first_audio_there: bool,
) -> View:
    """What to show. A lost connection is red whatever else there is."""
    headline, light = _HEADLINES[state]
    if lost and state != State.OFF:
        headline, light = "No connection: speak, it is kept", "red"
    elif state == State.ON and not is_first_audio_there:
        headline, light = "Opening the microphone", "wait"
    return View(
        state=state,
        light=light,
        headline=headline,
        notice=lost if light == "red" else notice,
        interim=interim,
        last=history[0] if history else "",
        level_db=level_db,
        history=history,
    )
