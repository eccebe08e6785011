// Vercel's AI SDK: `ai_sdk.mjs URL KEY RAW WAV`. Prints what it gave as one line of JSON.
import fs from 'node:fs';
import { createOpenAI } from '@ai-sdk/openai';

const [url, key, , path] = process.argv.slice(2);
const audio = fs.readFileSync(path);
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
const found = { results: [], errors: [] };
for (const [model, options] of [
  ['whisper-1', { timestampGranularities: ['word', 'segment'], language: 'en' }],
  ['gpt-4o-mini-transcribe', { include: ['logprobs'] }],
]) {
  const result = await openai
    .transcription(model)
    .doGenerate({ audio, mediaType: 'audio/wav', providerOptions: { openai: options } });
  const { text, segments, language, durationInSeconds } = result;
  found.results.push({ text, segments, language, durationInSeconds });
}
await openai
  .transcription('nothing-1')
  .doGenerate({ audio, mediaType: 'audio/wav', providerOptions: {} })
  .catch((error) => found.errors.push([error.name, error.statusCode, error.message]));
console.log(JSON.stringify(found));
