"""The echo bot where FastRTC is not installed."""

import subprocess
import sys

PROGRAM = """
import runpy, sys
sys.modules["fastrtc"] = None
runpy.run_module("assistant.echo", run_name="__main__")
"""


def test_the_missing_extra_is_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'steno[fastrtc]'" in done.stderr
