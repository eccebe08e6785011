// The official npm package on the Realtime API: `realtime_openai.mjs MODE URL KEY RAW`. It speaks TLS only; MODE is
// `intent` or `model`. Prints every event as JSON.

import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const [mode, url, key, raw] = process.argv.slice(2);
const COMPLETED = "conversation.item.input_audio_transcription.completed";
const connect = (apiKey) => {
  const client = new OpenAI({ apiKey, baseURL: `${url}/v1` });
  return new OpenAIRealtimeWS(mode === "model" ? { model: "gpt-realtime" } : { intent: "transcription" }, client);
};

const events = [];
const errors = [];
const connection = connect(key);
const over = new Promise((resolve) => {
  connection.on("event", (event) => {
    events.push(event);
    if (event.type === "session.created") {
      connection.send({ type: "session.update", session: { type: "transcription", audio: { input: {
        format: { type: "audio/pcm", rate: 24000 },
        transcription: { model: "gpt-4o-transcribe", language: "en" },
        turn_detection: { type: "server_vad", silence_duration_ms: 600 },
      } } } });
    }
    if (event.type === "session.updated") {
      const audio = readFileSync(raw);
      for (let at = 0; at < audio.length; at += 4800) {
        const chunk = audio.subarray(at, at + 4800).toString("base64");
        connection.send({ type: "input_audio_buffer.append", audio: chunk });
      }
      connection.send({ type: "input_audio_buffer.commit" });
    }
    // The talk ends in a pause, so that the commit is answered with an empty item.
    if (event.type === COMPLETED && event.transcript === "") resolve();
  });
  connection.on("error", (error) => { errors.push(String(error.message)); resolve(); });
});
await over;
connection.close();

const refused = await new Promise((resolve) => {
  const wrong = connect("wrong-key");
  wrong.on("error", (error) => resolve(String(error.message)));
  wrong.on("session.created", () => resolve("connected"));
});
console.log(JSON.stringify({ events, errors, refused }));
process.exit(0);
