// The official npm SDK, as its users call it: `deepgram_sdk.mjs URL KEY RAW WAV`. Prints what it handed out as JSON.

import { readFileSync, createReadStream } from "node:fs";
import { DeepgramClient } from "@deepgram/sdk";

const [url, key, raw, wav] = process.argv.slice(2);
const client = new DeepgramClient({ apiKey: key, baseUrl: url });
const found = { live: [], close: [], opened: 0, file: null, refused: 0 };

const socket = await client.listen.v1.connect({
  model: "nova-3",
  language: "en",
  encoding: "linear16",
  sample_rate: 16000,
  interim_results: true,
  punctuate: true,
  vad_events: true,
  utterance_end_ms: 1000,
  keyterm: ["Quilter"],
});
socket.on("open", () => { found.opened += 1; });
socket.on("message", (message) => found.live.push(message));
const over = new Promise((resolve) => socket.on("close", (event) => { found.close.push(event.code); resolve(); }));
socket.connect();
await socket.waitForOpen();
const audio = readFileSync(raw);
const half = Math.floor(audio.length / 2);
for (let at = 0; at < audio.length; at += 6400) {
  if (at <= half && half < at + 6400) {
    socket.sendKeepAlive({ type: "KeepAlive" });
    socket.sendFinalize({ type: "Finalize" });
  }
  socket.sendMedia(audio.subarray(at, at + 6400));
}
socket.sendCloseStream({ type: "CloseStream" });
await over;
await new Promise((resolve) => setTimeout(resolve, 1500)); // it would connect again if the close were not normal
const closes = [...found.close];
socket.close(); // says that it closes, too
found.close = closes;

found.file = await client.listen.v1.media.transcribeFile(createReadStream(wav), { model: "nova-3", utterances: true });
try {
  await new DeepgramClient({ apiKey: "wrong-key", baseUrl: url }).listen.v1.media.transcribeFile(
    createReadStream(wav), { model: "nova-3" }, { maxRetries: 0 });
} catch (error) {
  found.refused = error.statusCode;
}
console.log(JSON.stringify(found));
process.exit(0);
