"""What dictation decides. Pure: no clock, thread, desktop or network; events in, effects out."""
