// The official npm SDK: `openai_sdk.mjs URL KEY RAW WAV`. Prints what it gave as one line of JSON.
import fs from 'node:fs';
import OpenAI from 'openai';

const [url, key, , path] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
const create = (options) =>
  client.audio.transcriptions.create({ file: fs.createReadStream(path), model: 'whisper-1', ...options });

const found = {
  json: (await create({ language: 'en' })).text,
  text: await create({ response_format: 'text' }),
  srt: await create({ response_format: 'srt' }),
  verbose: await create({ response_format: 'verbose_json', timestamp_granularities: ['word', 'segment'] }),
  chunked: (await create({ chunking_strategy: { type: 'server_vad', threshold: 0.5 } })).text,
  stream: [],
  errors: {},
};
for await (const event of await create({ model: 'gpt-4o-transcribe', stream: true })) found.stream.push(event);
found.models = (await client.models.list()).data.map((model) => model.id);
for (const [name, attempt] of Object.entries({
  model: () => create({ model: 'nothing-1' }),
  key: () => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'not-this-one' }).models.list(),
})) {
  await attempt().catch((error) => (found.errors[name] = [error.constructor.name, error.code, error.status]));
}
console.log(JSON.stringify(found));
