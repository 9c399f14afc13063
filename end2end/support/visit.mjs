// Requests as browsers make them: `fetch` of Node adds headers of its own, and keeps some
// from being set.

import http from 'node:http';

/** What browsers accept when they open a page. */
export const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

/** The headers of a browser that opens a page without TLS: it says nothing of why. */
export const OPENS = { accept: HTML };

/** The headers of one that opens a page with TLS, or of this machine. */
export const NAVIGATES = {
  ...OPENS,
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'cross-site',
  'sec-fetch-user': '?1',
};

/** Name and value of each cookie. */
export const cookieOf = (cookies) =>
  Object.entries(cookies)
    .map(([name, value]) => `${name}=${value}`)
    .join('; ');

/**
 * One request with just these headers. Resolves to
 * `{status, headers, location, cookies, body}`; `cookies` are the lines of `Set-Cookie`.
 *
 * @param {{url: string}} podium
 * @param {string} path
 * @param {object} [options]
 * @param {string} [options.method]
 * @param {Record<string, string>} [options.headers]
 * @param {Record<string, string>} [options.cookies]
 * @param {Record<string, string>} [options.form] the fields of a form
 */
export function visit(podium, path, { method, headers = {}, cookies = {}, form } = {}) {
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  const { hostname, port } = new URL(podium.url);
  const all = { ...headers };
  if (Object.keys(cookies).length > 0) all.cookie = cookieOf(cookies);
  if (body !== undefined) {
    all['content-type'] = 'application/x-www-form-urlencoded';
    all['content-length'] = Buffer.byteLength(body);
  }
  const options = { hostname, port, path, method, headers: all, agent: false };
  options.method ??= body === undefined ? 'GET' : 'POST';
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.once('error', reject).once('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          location: response.headers.location,
          cookies: response.headers['set-cookie'] ?? [],
          body: text,
        }),
      );
    });
    request.once('error', reject).setTimeout(30_000, () => request.destroy(new Error('too late')));
    request.end(body);
  });
}

/** What a browser holds that held `cookies` and got these lines. */
export function held(cookies, lines) {
  const all = { ...cookies };
  for (const line of lines) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    if (/; Max-Age=0\b/.test(line)) delete all[name];
    else all[name] = value;
  }
  return all;
}
