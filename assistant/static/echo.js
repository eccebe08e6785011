// A call to the assistant: microphone up, its voice and what it hears down. No library, no server but this one.

const find = (id) => document.getElementById(id);
const GATHER_MS_MAX = 2000;
const LEVEL_MS = 100;
let call = null;

function say(state, text) {
  document.body.dataset.state = state;
  find("status").textContent = text;
  find("call").textContent = state === "live" || state === "calling" ? "Hang up" : "Talk";
}

function add(who, text) {
  const line = document.createElement("li");
  line.className = who;
  line.textContent = text;
  find("talk").append(line);
  line.scrollIntoView({ block: "end" });
}

function show(text, committed) {
  // Positions are code points, as everywhere in Steno.
  const points = [...text];
  find("committed").textContent = points.slice(0, committed).join("");
  find("tentative").textContent = points.slice(committed).join("");
}

function heard(event) {
  if (event.type === "partial") show(event.text, event.committed);
  if (event.type === "final") {
    show("", 0);
    if (event.text) add("you", event.text);
  }
  if (event.type === "error") say("idle", event.message);
}

function message({ data }) {
  const { type, data: content } = JSON.parse(data);
  if (type === "steno") heard(content);
  if (type === "reply") add("bot", content);
  if (type === "end_stream") hangUp(content || "The assistant ended the call.");
}

function gathered(connection) {
  return new Promise((resolve) => {
    const look = () => connection.iceGatheringState === "complete" && resolve();
    connection.addEventListener("icegatheringstatechange", look);
    setTimeout(resolve, GATHER_MS_MAX);
    look();
  });
}

async function answer(description) {
  const body = JSON.stringify({ ...description.toJSON(), webrtc_id: crypto.randomUUID() });
  const reply = await fetch("webrtc/offer", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  if (!reply.ok) throw new Error(`The assistant answered with ${reply.status}.`);
  const said = await reply.json();
  if (said.status !== "failed") return said;
  throw new Error(
    said.meta?.error === "concurrency_limit_reached"
      ? "The assistant talks to as many people as it can. Try again later."
      : "The assistant can't take the call.",
  );
}

function meter(stream) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    find("level").value = 10 * Math.log10(power + 1e-9);
  }, LEVEL_MS);
  return () => {
    clearInterval(timer);
    context.close();
    find("level").value = -60;
  };
}

async function pickUp() {
  const mine = (call = {});
  say("calling", "Calling …");
  // The echo of the assistant's own voice must not reach it as speech.
  mine.stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true } });
  if (call !== mine) return close(mine);
  mine.unmeter = meter(mine.stream);
  mine.connection = new RTCPeerConnection({ iceServers: [] });
  for (const track of mine.stream.getTracks()) mine.connection.addTrack(track, mine.stream);
  mine.connection.ontrack = ({ streams, track }) => (find("voice").srcObject = streams[0] ?? new MediaStream([track]));
  mine.connection.onconnectionstatechange = () => {
    const { connectionState } = mine.connection;
    if (connectionState === "connected") say("live", "Listening. It answers when you pause.");
    if (connectionState === "failed") hangUp("The connection failed: no network path to the assistant was found.");
  };
  mine.connection.createDataChannel("text").onmessage = message;
  await mine.connection.setLocalDescription(await mine.connection.createOffer());
  await gathered(mine.connection);
  const description = await answer(mine.connection.localDescription);
  if (call === mine) await mine.connection.setRemoteDescription(description);
}

function close({ stream, connection, unmeter }) {
  unmeter?.();
  connection?.close();
  stream?.getTracks().forEach((track) => track.stop());
}

function hangUp(text = "Press the button and say something.") {
  if (call) close(call);
  call = null;
  show("", 0);
  say("idle", text);
}

find("call").onclick = async () => {
  if (call) return hangUp();
  try {
    await pickUp();
  } catch (error) {
    const denied = error.name === "NotAllowedError" || error.name === "NotFoundError";
    hangUp(denied ? "There is no microphone, or the page may not use it." : error.message);
  }
};
if (!navigator.mediaDevices) {
  find("call").disabled = true;
  say("idle", "Browsers give a microphone only to https:// pages and to this machine's own: open it as 127.0.0.1.");
}
