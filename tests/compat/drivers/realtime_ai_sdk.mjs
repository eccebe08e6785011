// The Vercel AI SDK's streaming transcription: `realtime_ai_sdk.mjs SOCKET URL KEY RAW`. SOCKET is `ws`, or `web` for Node's
// own WebSocket; both send the key as a subprotocol only. Prints the parts of the stream as JSON.

import { readFileSync } from "node:fs";
import { createOpenAI } from "@ai-sdk/openai";
import { WebSocket as NodeSocket } from "ws";

const [socket, url, key, raw] = process.argv.slice(2);
const audio = readFileSync(raw);

async function transcribed(apiKey) {
  const webSocket = socket === "ws" ? NodeSocket : globalThis.WebSocket;
  const model = createOpenAI({ apiKey, baseURL: `${url}/v1`, webSocket }).transcription("gpt-live-transcribe");
  let at = 0;
  const { stream } = await model.doStream({
    audio: new ReadableStream({
      pull(controller) {
        if (at >= audio.length) return controller.close();
        controller.enqueue(new Uint8Array(audio.subarray(at, (at += 9600))));
      },
    }),
    inputAudioFormat: { type: "audio/pcm", rate: 24000 },
    providerOptions: { openai: { language: "en", streaming: { include: ["item.input_audio_transcription.logprobs"] } } },
  });
  const parts = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return parts;
    parts.push(value);
  }
}

const parts = await transcribed(key);
let refused = "";
try {
  refused = JSON.stringify(await transcribed("wrong-key"));
} catch (error) {
  refused = `refused: ${error.message}`;
}
console.log(JSON.stringify({ parts, refused }));
process.exit(0);
