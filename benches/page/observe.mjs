// What the browser itself knows of how a page feels. Both functions run in the page.

/** Begins to note things; called before anything of the page. */
export function observe() {
  const watched = { lcp: undefined, shifts: [], interactions: new Map(), longTasks: [], frames: [] };
  const on = (type, note, options = {}) =>
    new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({
      type,
      buffered: true,
      ...options,
    });
  on('largest-contentful-paint', ({ startTime }) => (watched.lcp = startTime));
  on('layout-shift', ({ startTime, value, hadRecentInput }) => {
    if (!hadRecentInput) watched.shifts.push({ at: startTime, value });
  });
  on('longtask', ({ startTime, duration }) => watched.longTasks.push({ at: startTime, duration }));
  // What is shorter than 16 ms is not reported.
  const note = ({ interactionId, duration }) => {
    if (!interactionId) return;
    const known = watched.interactions.get(interactionId) ?? 0;
    watched.interactions.set(interactionId, Math.max(known, duration));
  };
  on('event', note, { durationThreshold: 16 });
  // A click on a link is a click like any other, but the page is to stay.
  const stay = (event) => event.target.closest?.('a') && event.preventDefault();
  addEventListener('click', stay, { capture: true });
  watched.startFrames = () => {
    let last;
    const frame = (now) => {
      if (last !== undefined) watched.frames.push(now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  };
  globalThis.watched = watched;
}

/** What was noted, by the definitions of web.dev. */
export function collect() {
  const { lcp, shifts, interactions, longTasks, frames } = globalThis.watched;
  // Shifts count together that are less than 1 s apart, for 5 s at most.
  let cls = 0;
  let session;
  for (const { at, value } of shifts) {
    const goesOn = session && at - session.last < 1000 && at - session.first < 5000;
    session = goesOn ? session : { first: at, sum: 0 };
    session.last = at;
    session.sum += value;
    cls = Math.max(cls, session.sum);
  }
  // Of fewer than 50 interactions it is the slowest.
  const slowest = [...interactions.values()].sort((a, b) => b - a);
  const count = performance.interactionCount ?? slowest.length;
  const inp = slowest[Math.min(slowest.length - 1, Math.floor(count / 50))];
  return { lcp, cls, inp, interactions: count, longTasks, frames };
}
