// The client's rules, without a server.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { BoardView } from './support/view.mjs';

const time = (seq) => new Date(Date.UTC(2026, 10, 23) + seq).toISOString();

const row = (userId, score, rank, more = {}) => ({
  userId,
  username: userId.toUpperCase(),
  score,
  rank,
  ...more,
});

const board = (seq, rows, more = {}) => ({
  topScores: rows,
  totalUsers: rows.length,
  lastUpdated: time(seq),
  epoch: 'e',
  seq,
  ...more,
});

const delta = (from, to, changes, more = {}) => ({
  epoch: 'e',
  from,
  to,
  changes,
  totalUsers: 3,
  lastUpdated: time(to),
  ...more,
});

const THREE = [row('a', 9, 1), row('b', 8, 2), row('c', 7, 3)];

/** A view that shows three rows as of seq 10. */
function viewOfThree() {
  const view = new BoardView();
  assert.equal(view.refresh(board(10, THREE)), 'applied');
  return view;
}

const essence = ({ rows, totalUsers, lastUpdated, position }) => ({
  rows,
  totalUsers,
  lastUpdated,
  position,
});

describe('a snapshot', () => {
  it('is shown', () => {
    assert.deepEqual(essence(viewOfThree()), {
      rows: THREE,
      totalUsers: 3,
      lastUpdated: time(10),
      position: { epoch: 'e', seq: 10 },
    });
  });

  it('is shown again at the same place, and ignored if it is older', () => {
    const view = viewOfThree();
    const before = essence(view);
    assert.equal(view.refresh(board(10, THREE)), 'applied');
    assert.equal(view.refresh(board(9, [])), 'ignored');
    assert.deepEqual(essence(view), before);
  });

  it('of another epoch replaces everything', () => {
    const view = viewOfThree();
    assert.equal(view.refresh(board(1, [row('d', 1, 1)], { epoch: 'f', lastUpdated: time(0) })), 'applied');
    assert.deepEqual(view.rows, [row('d', 1, 1)]);
    assert.deepEqual(view.position, { epoch: 'f', seq: 1 });
  });
});

describe('a delta', () => {
  it('moves, changes, removes and adds rows', () => {
    const view = viewOfThree();
    const changes = [
      { userId: 'c', index: 0, score: 20, rank: 1, username: 'Carl', avatar: 'https://c' },
      { userId: 'a', index: 1, score: 9, rank: 2 },
      { userId: 'b', gone: true },
      { userId: 'd', index: 2, score: 8, rank: 3, username: 'D' },
    ];
    assert.equal(view.delta(delta(10, 12, changes, { totalUsers: 4 })), 'applied');
    assert.deepEqual(essence(view), {
      rows: [
        { userId: 'c', username: 'Carl', score: 20, rank: 1, avatar: 'https://c' },
        row('a', 9, 2),
        row('d', 8, 3),
      ],
      totalUsers: 4,
      lastUpdated: time(12),
      position: { epoch: 'e', seq: 12 },
    });
  });

  it('removes a picture, and keeps one that it does not mention', () => {
    const view = new BoardView();
    const picture = { avatar: 'https://p' };
    view.refresh(board(10, [row('a', 9, 1, picture), row('b', 8, 2, picture)]));
    const changes = [
      { userId: 'a', index: 0, score: 10, rank: 1 },
      { userId: 'b', index: 1, score: 9, rank: 2, avatar: null },
    ];
    view.delta(delta(10, 11, changes));
    assert.deepEqual(view.rows, [row('a', 10, 1, picture), row('b', 9, 2)]);
  });

  it('that begins before what is shown is applied, because values are absolute', () => {
    const view = viewOfThree();
    assert.equal(view.delta(delta(3, 11, [{ userId: 'a', index: 0, score: 11, rank: 1 }])), 'applied');
    assert.deepEqual(view.rows, [row('a', 11, 1), ...THREE.slice(1)]);
    assert.equal(view.seq, 11);
  });

  it('that ends where the view is, or before, is ignored', () => {
    const view = viewOfThree();
    for (const to of [10, 9]) {
      assert.equal(view.delta(delta(5, to, [{ userId: 'a', gone: true }])), 'ignored');
    }
    assert.deepEqual(view.rows, THREE);
  });

  it('that begins after what is shown is a gap, and changes nothing', () => {
    const view = viewOfThree();
    assert.equal(view.delta(delta(11, 12, [{ userId: 'a', gone: true }])), 'gap');
    assert.deepEqual([view.rows, view.position], [THREE, { epoch: 'e', seq: 10 }]);
  });

  it('of another epoch, or before any board, is a gap', () => {
    const view = viewOfThree();
    assert.equal(view.delta(delta(10, 12, [], { epoch: 'f' })), 'gap');
    assert.deepEqual(view.position, { epoch: 'e', seq: 10 });
    const empty = new BoardView();
    assert.equal(empty.delta(delta(0, 12, [])), 'gap');
    assert.deepEqual(empty.position, {});
  });
});

describe('a fact that cannot be', () => {
  const impossible = {
    'a later entry from an earlier time': (view) => view.refresh(board(11, THREE, { lastUpdated: time(9) })),
    'another board of the same entry': (view) => view.refresh(board(10, THREE.slice(1))),
    'another total of the same entry': (view) => view.refresh(board(10, THREE, { totalUsers: 4 })),
    'a hole in the order': (view) => view.delta(delta(10, 11, [{ userId: 'b', gone: true }])),
    'two in one place': (view) => view.delta(delta(10, 11, [{ userId: 'c', index: 1, score: 8, rank: 2 }])),
    'somebody new without a name': (view) =>
      view.delta(delta(10, 11, [{ userId: 'd', index: 3, score: 1, rank: 4 }])),
  };
  for (const [what, tell] of Object.entries(impossible)) {
    it(`throws: ${what}`, () => {
      const view = viewOfThree();
      const before = essence(view);
      assert.throws(() => tell(view), Error);
      assert.deepEqual(essence(view), before);
    });
  }
});
