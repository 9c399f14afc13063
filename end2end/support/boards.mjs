// Boards with something on them to look at: who plays, and with how many points.
// Ids follow from names, so that a picture of a board is the same the next time.

import { createHash, randomUUID } from 'node:crypto';

import { importedDatabase, request, startPodium, token } from './podium.mjs';
import { withBoards, withEndedSeasons, withMany } from './several.mjs';

/** The id of the player with this name, on every board. */
export function idOf(name) {
  const hex = createHash('sha256').update(name).digest('hex');
  const variant = (parseInt(hex[16], 16) & 3) | 8;
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`];
  return [...parts, variant.toString(16) + hex.slice(17, 20), hex.slice(20, 32)].join('-');
}

/** More than a page of any length that the server knows, and two who are called Ada. */
export const NAMES = `
  Ada Lovelace, Grace Hopper, Alan Turing, Katherine Johnson, Edsger Dijkstra,
  Barbara Liskov, Donald Knuth, Hedy Lamarr, John McCarthy, Margaret Hamilton,
  Dennis Ritchie, Radia Perlman, Ken Thompson, Frances Allen, Claude Shannon,
  Sophie Wilson, Niklaus Wirth, Shafi Goldwasser, Tony Hoare, Jean Bartik,
  Leslie Lamport, Karen Spärck Jones, Robin Milner, Adele Goldberg, Alonzo Church,
  Mary Jackson, Kurt Gödel, Dorothy Vaughan, George Boole, Evelyn Boyd Granville,
  Haskell Curry, Anita Borg, Konrad Zuse, Lynn Conway, Alan Kay, Fei-Fei Li,
  Linus Torvalds, Annie Easley, Tim Berners-Lee, Ada Yonath, Vint Cerf,
  Elizabeth Feinler, Bjarne Stroustrup, Joan Clarke, Guido van Rossum, Mary Shaw,
  Brian Kernighan, Susan Kare, Butler Lampson, Kathleen Booth, Gordon Moore,
  Thelma Estrin, Douglas Engelbart, Ruzena Bajcsy, Seymour Cray, Ida Rhodes,
  Marvin Minsky, Jeannette Wing, Herbert Simon, Joanna Hoffman, Allen Newell,
  Erna Hoover, John Backus, Carol Shaw`
  .split(',')
  .map((name) => name.trim().replaceAll(/\s+/g, ' '));

/** What names may be: as long as can be, from right to left, pictures, and markup. */
const ODD_NAMES = [
  'Hubert Blaine Wolfeschlegelsteinhausenbergerdorff Senior of Hove',
  'Donaudampfschifffahrtselektrizitätenhauptbetriebswerk',
  'محمد بن عبد الله بن محمد الخوارزمي',
  'דוד בן־גוריון (David)',
  '👩‍🚀👨‍👩‍👧‍👦🏳️‍🌈 Zoë',
  '李小龍と宮本武蔵',
  '<b>Bold</b> & "quoted" &amp; </script>',
  'W'.repeat(64),
  'Nguyễn Thị Hạnh é',
  'i',
  '12,345 points',
  'مرحبا Ada 123',
];

/** The same every time, and no two alike: points fall, first fast and then slowly. */
const points = (place) => Math.round(12_480 / (1 + place * 0.13)) - place;

const falling = (names) => Object.fromEntries(names.map((name, i) => [name, points(i)]));

const crowd = (count) => Array.from({ length: count }, (_, i) => NAMES[i] ?? `Player ${i + 1}`);

const BANNERS = [
  { severity: 'info', message: 'The next round begins at 18:00 in the large hall.' },
  {
    severity: 'info',
    type: 'ACHIEVEMENT',
    message: 'Ada Lovelace is first, for the first time. Congratulations!',
  },
  {
    severity: 'warning',
    type: 'MAINTENANCE',
    message:
      'We restart in five minutes. Whatever you send until then counts, and this page comes back by itself.',
  },
  { severity: 'error', message: 'Scores of table 7 are missing: please see the jury.' },
];

/**
 * `env`: settings of the server. `scores`: by name, `null` for somebody who has none
 * yet. `banners`: what was announced. `arrange`: what else is done. `start`: a server that is
 * started in a way of its own.
 */
const BOARDS = {
  empty: { scores: {} },
  'before-start': {
    env: { PODIUM_BOARD__STARTS: '2030-01-01T00:00:00Z' },
    scores: Object.fromEntries(NAMES.slice(0, 5).map((name) => [name, null])),
  },
  one: { scores: { 'Ada Lovelace': 10 } },
  many: { scores: falling(NAMES) },
  hundred: { env: { PODIUM_BOARD__TOP: '100' }, scores: falling(crowd(130)) },
  tied: {
    env: { PODIUM_RANKING__TIES: 'competition' },
    scores: Object.fromEntries(crowd(10_000).map((name) => [name, 500])),
  },
  names: { scores: falling(ODD_NAMES) },
  // Two so close that one success decides who is in front.
  duel: { scores: { ...falling(NAMES), 'Donald Knuth': 7020, 'Hedy Lamarr': 7000 } },
  banners: { scores: falling(NAMES), banners: BANNERS },
  several: {
    scores: {},
    arrange: (podium) => withBoards(podium, { names: NAMES.slice(0, 14), idOf, points }),
  },
  rounds: { scores: falling(NAMES), arrange: (podium) => withMany(podium, 60) },
  seasons: { start: () => withEndedSeasons({ names: NAMES, idOf, points }) },
};

/** Where somebody's points came from, so that there is a history to draw. */
const SHARES = [0.1, 0.25, 0.05, 0.3, 0.2];

function* lines(scores) {
  for (const username of Object.keys(scores)) yield { userId: idOf(username), username };
  const scored = Object.entries(scores).filter(([, score]) => score !== null);
  // On a board of thousands one action each is enough.
  const rounds = scored.length > 1000 ? 0 : SHARES.length;
  const left = { ...scores };
  for (let round = 0; round <= rounds; round++) {
    for (const [name, score] of scored) {
      const share = SHARES[(round + idOf(name).charCodeAt(0)) % SHARES.length];
      const scoreIncrease = round === rounds ? left[name] : Math.round(score * share);
      left[name] -= scoreIncrease;
      const actionId = `${name} ${round}`;
      yield { actionId, userId: idOf(name), actionType: 'quiz_solved', scoreIncrease };
    }
  }
}

/** A server with one of the boards. */
export async function startBoard(name) {
  const { env, scores, banners = [], arrange, start } = BOARDS[name];
  if (start) return start();
  const all = [...lines(scores)];
  const database = all.length > 0 ? await importedDatabase(all, env) : undefined;
  const podium = await startPodium({ env, database });
  for (const body of banners) {
    const admin = token({ user: randomUUID(), role: 'admin' });
    const answer = await request(podium.url, 'POST', '/api/v1/notifications', {
      token: admin,
      body,
    });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  }
  await arrange?.(podium);
  return podium;
}

/** Servers with boards, each started when it is first asked for. */
export class Boards {
  #servers = new Map();

  get(name) {
    if (!this.#servers.has(name)) this.#servers.set(name, startBoard(name));
    return this.#servers.get(name);
  }

  async end() {
    const servers = await Promise.allSettled(this.#servers.values());
    await Promise.all(servers.map(({ value }) => value?.kill()));
  }
}
