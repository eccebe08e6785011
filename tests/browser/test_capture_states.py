"""What can go wrong with a microphone or a tab, each as a sentence and a next step; level, clipping."""

import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import Told, page_of, shoot
from tests.support.service import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REFUSED = """({ method, name }) => {
  navigator.mediaDevices[method] = () => Promise.reject(new DOMException("as it is", name));
}"""
WITHOUT_SOUND = """() => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d");
  navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream();
}"""
LOUDNESS = """(gain) => {
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext();
    const tone = new OscillatorNode(context);
    const { stream } = (window.device = new MediaStreamAudioDestinationNode(context));
    tone.connect(new GainNode(context, { gain })).connect(window.device);
    tone.start();
    return stream;
  };
}"""
WATCH_NODES = """() => {
  const Node = AudioWorkletNode;
  window.AudioWorkletNode = class extends Node {
    constructor(...options) {
      super(...options);
      window.capture = this.port;
    }
  };
}"""
MINUTES = """(seconds) => {
  const samples = new Int16Array(48_000 * seconds);
  window.capture.onmessage({ data: { samples, peak: 0.1, rms: 0.1, isClipped: false, at: Date.now() } });
}"""


async def listen(page: Page) -> None:
    await page.click("#record")
    await page.locator("body[data-live=live]").wait_for()


async def test_devices_and_tabs_that_give_no_sound(browser: Browser, service: Service) -> None:
    refusals = [
        ("microphone", "getUserMedia", "NotReadableError", "The microphone can't be read.", "Try again"),
        ("microphone", "getUserMedia", "OverconstrainedError", "No microphone was found.", "Try again"),
        ("tab", "getDisplayMedia", "NotAllowedError", "Nothing was shared.", "Try again"),
    ]
    async with page_of(browser, service.url) as page:
        for source, method, name, sentence, action in refusals:
            await page.locator(f"input[value={source}]").check()
            await page.evaluate(REFUSED, {"method": method, "name": name})
            await page.click("#record")
            await expect(page.locator("#live-problem strong")).to_have_text(sentence)
            await expect(page.get_by_role("button", name=action)).to_be_visible()
            await page.get_by_role("button", name="Dismiss").click()
        await page.evaluate(WITHOUT_SOUND)
        await page.click("#record")
        await expect(page.locator("#live-problem strong")).to_have_text("What you shared has no sound.")
        await page.evaluate("navigator.mediaDevices.getDisplayMedia = undefined")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator("#live-problem strong")).to_have_text("This browser can't do that.")


async def test_a_microphone_that_is_silent_loud_and_gone(browser: Browser, service: Service) -> None:
    async with page_of(browser, service.url) as page:
        await page.evaluate(LOUDNESS, 0)
        await listen(page)
        await expect(page.locator("#live-problem strong")).to_have_text("The microphone sends silence.")
        await shoot(page, "live-silent")
        await page.click("#record")
        await page.locator("body[data-live=idle]").wait_for()
        await page.evaluate(LOUDNESS, 4)
        await listen(page)
        await expect(page.locator("#live-problem")).to_be_hidden()
        await expect(page.locator("#clip")).to_have_text("Too loud")
        await expect(page.locator("#level")).to_have_attribute("aria-valuetext", "0 decibels")
        await shoot(page, "live-loud")
        await page.evaluate("window.device.stream.getTracks()[0].dispatchEvent(new Event('ended'))")
        await expect(page.locator("#live-problem strong")).to_have_text("The microphone is gone.")
        await page.locator("body[data-live=idle]").wait_for()
        await expect(page.locator("#vad")).to_have_text("Off")
        await expect(page.locator("#figure-lag")).to_have_text("–")


async def test_a_server_that_takes_nothing_for_two_minutes(browser: Browser, service: Service) -> None:
    async with page_of(browser, service.url) as page:
        await page.evaluate(WATCH_NODES)
        server = Told()
        await server.install(page)
        await listen(page)
        await page.evaluate(MINUTES, 100)
        await expect(page.locator("#live-problem")).to_be_hidden()
        await page.evaluate(MINUTES, 100)
        await expect(page.locator("#live-problem strong")).to_contain_text("new sound is left out")
        await expect(page.locator("#figure-kept")).to_have_text(re.compile(r"\d\d+ s"))
        await page.click("#record")
        await page.locator("body[data-live=idle]").wait_for()
