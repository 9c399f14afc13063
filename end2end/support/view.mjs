// What a client keeps of the board that it watches, and the whole of the rules by
// which facts change it. Pure: it hears no socket and knows no clock, so it is
// also the shortest description of what a client of delta mode has to do.

/** One view of the board: the top N, or a page. */
export class BoardView {
  /** The rows in order: `{userId, username, score, rank, avatar?}`. */
  rows = [];
  totalUsers;
  lastUpdated;
  /** Which life of the log `seq` counts in; nothing was shown yet without it. */
  epoch;
  /** The last entry of the log that the rows hold. */
  seq;

  /** The view as it is now, whatever becomes of this one. */
  copy() {
    return Object.assign(new BoardView(), this);
  }

  /** Where to resume: what `subscribe_scoreboard` takes beside `mode` and `page`. */
  get position() {
    return this.epoch === undefined ? {} : { epoch: this.epoch, seq: this.seq };
  }

  /**
   * Takes a `leaderboard_refresh`: 'applied', or 'ignored' because what is shown is
   * newer.
   */
  refresh({ topScores, totalUsers, lastUpdated, epoch, seq }) {
    if (epoch === this.epoch && seq < this.seq) return 'ignored';
    this.#show({ rows: topScores, totalUsers, lastUpdated, epoch, seq });
    return 'applied';
  }

  /**
   * Takes a `scoreboard_delta`: 'applied', 'ignored' because nothing in it is new, or
   * 'gap' because something before it is missing. After a gap the client subscribes
   * again with its {@link position}, and goes on showing what it shows.
   */
  delta({ epoch, from, to, changes, totalUsers, lastUpdated }) {
    if (epoch !== this.epoch) return 'gap';
    if (to <= this.seq) return 'ignored';
    if (from > this.seq) return 'gap';
    // Values are absolute: it does no harm that some of them are known already.
    const rows = new Map(this.rows.map((row, index) => [row.userId, { index, row }]));
    for (const { userId, gone, index, ...change } of changes) {
      if (gone) {
        rows.delete(userId);
        continue;
      }
      const row = { ...rows.get(userId)?.row, userId, ...change };
      if (row.avatar === null) delete row.avatar;
      rows.set(userId, { index, row });
    }
    const ordered = [...rows.values()].sort((a, b) => a.index - b.index);
    ordered.forEach(({ index, row }, place) => {
      if (index !== place) throw new Error(`${row.userId} is at ${index}, not at ${place}`);
      if (row.username === undefined) throw new Error(`${row.userId} came without a name`);
    });
    const shown = ordered.map(({ row }) => row);
    this.#show({ rows: shown, totalUsers, lastUpdated, epoch, seq: to });
    return 'applied';
  }

  /** The rules above never step back; if a fact does, the server contradicts itself. */
  #show(next) {
    if (next.epoch === this.epoch) {
      if (next.seq < this.seq || next.lastUpdated < this.lastUpdated) {
        const text = ({ seq, lastUpdated }) => `${seq} of ${lastUpdated}`;
        throw new Error(`a step back from ${text(this)} to ${text(next)}`);
      }
      if (next.seq === this.seq && JSON.stringify(sorted(next)) !== JSON.stringify(sorted(this))) {
        throw new Error(`two different boards of ${next.seq}`);
      }
    }
    Object.assign(this, next);
  }
}

/** What is shown, in an order of fields that is always the same. */
function sorted({ rows, totalUsers }) {
  const fields = (row) => [row.userId, row.username, row.score, row.rank, row.avatar];
  return [totalUsers, ...rows.map(fields)];
}
