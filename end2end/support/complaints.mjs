// What a page must not do, whatever it shows: write to the console, throw, or ask for
// something that does not come.

/** Whoever leaves a page that is still about to connect gives that up. */
const GIVEN_UP = /WebSocket is closed before the connection is established/;

/** Calls `complain` with one line about everything of that kind. */
export function listenForComplaints(page, { scripts = true } = {}, complain) {
  page.on('pageerror', (error) => complain(`exception: ${error.message}`));
  page.on('console', (message) => {
    if (GIVEN_UP.test(message.text())) return;
    // Where scripts are off, Chromium refuses to load them, and says so.
    if (scripts || message.type() === 'error') complain(`${message.type()}: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    // Whoever goes on to another page stops loading this one.
    if (request.failure()?.errorText === 'net::ERR_ABORTED') return;
    if (scripts || request.resourceType() !== 'script') complain(`failed: ${request.url()}`);
  });
}
