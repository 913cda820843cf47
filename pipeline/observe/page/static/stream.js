// Server-sent events (WHATWG HTML, clause 9.2) over fetch: EventSource cannot send the token.
const AGAIN = 2000;

export class Refused extends Error {}

// Calls `heard(name, value)` for each event, and `lost(why)` when there is no connection; tries again for ever.
export async function listen(url, token, heard, lost) {
  for (;;) {
    try {
      await follow(url, token(), heard);
      lost("the worker ended the connection");
    } catch (error) {
      if (error instanceof Refused) throw error;
      lost(error instanceof TypeError ? "the worker does not answer" : error.message);
    }
    await new Promise((resume) => setTimeout(resume, AGAIN));
  }
}

async function follow(url, token, heard) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), 10_000);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(url, { headers, signal: silence.signal, cache: "no-store" });
  if (answer.status === 401) throw new Refused();
  if (!answer.ok) throw new Error((await answer.text()).trim());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), 10_000);
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s)));
      heard(fields.event, JSON.parse(fields.data));
    }
  }
}
