"""Apple's sample-rate converter: whatever the microphone gives, as 16 kHz mono pcm16."""

from typing import Any, Final

from client.dictation.errors import NoMicrophone
from client.dictation.macos.frameworks import Frameworks
from shared.audio.pcm import SAMPLE_RATE

_SLACK_FRAMES: Final = 64
"""Room beyond the exact length: the converter gives what it held back when it can."""


class Converter:
    """One stream of mono float samples at the rate of the microphone. It keeps its filter's state, so a
    change of the microphone needs another one."""

    def __init__(self, mac: Frameworks, rate: float) -> None:
        """Raises `NoMicrophone` for a rate that nothing can be made of."""
        self._av = av = mac.avfoundation
        self._rate = rate
        self._source = av.AVAudioFormat.alloc().initWithCommonFormat_sampleRate_channels_interleaved_(
            av.AVAudioPCMFormatFloat32, rate, 1, False
        )
        self._target = av.AVAudioFormat.alloc().initWithCommonFormat_sampleRate_channels_interleaved_(
            av.AVAudioPCMFormatInt16, float(SAMPLE_RATE), 1, True
        )
        self._converter: Any = (
            av.AVAudioConverter.alloc().initFromFormat_toFormat_(self._source, self._target)
            if self._source is not None
            else None
        )
        if self._converter is None:
            raise NoMicrophone(f"the microphone's {rate:g} Hz can't be converted; choose another microphone")

    def convert(self, samples: bytes) -> bytes:
        """What comes out for these 32-bit float samples; some of it may come with the next ones. Raises
        `NoMicrophone` when the converter fails."""
        av = self._av
        count = len(samples) // 4
        given = av.AVAudioPCMBuffer.alloc().initWithPCMFormat_frameCapacity_(self._source, count)
        given.setFrameLength_(count)
        given.floatChannelData()[0].as_buffer(count)[:] = samples
        capacity = int(count * SAMPLE_RATE / self._rate) + _SLACK_FRAMES
        out = av.AVAudioPCMBuffer.alloc().initWithPCMFormat_frameCapacity_(self._target, capacity)
        is_due = True

        def feed(_packets: int, _status: Any) -> tuple[Any, int]:
            nonlocal is_due
            if not is_due:  # not the end of the stream: that would empty the filter
                return None, av.AVAudioConverterInputStatus_NoDataNow
            is_due = False
            return given, av.AVAudioConverterInputStatus_HaveData

        status, _error = self._converter.convertToBuffer_error_withInputFromBlock_(out, None, feed)
        if status == av.AVAudioConverterOutputStatus_Error:
            raise NoMicrophone("the microphone is gone: its audio can't be converted; choose another one")
        length = out.frameLength()
        return bytes(out.int16ChannelData()[0].as_buffer(length)) if length else b""
