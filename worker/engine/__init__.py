"""Speech to text: the protocol that engines follow, and the engines. The only importers of faster_whisper
and ctranslate2."""
